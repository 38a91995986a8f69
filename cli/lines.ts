import path from 'node:path';
import type { RunSummary } from '../core/contract/report.ts';
import { faultText } from '../core/errors.ts';
import { metricValue } from '../core/metrics/panel.ts';
import type { CaseOutcome } from './local.ts';
import { duration } from './progress.ts';

/** One case in one line. */
export function caseLine({ report, resumed, seconds }: CaseOutcome, out: string): string {
  const { caseId } = report;
  if (report.status === 'failed') return `FAILED ${caseId}: ${faultText(report.fault)}`;
  const fault = report.comparisonFault && `NOT COMPARED: ${faultText(report.comparisonFault)}`;
  if (resumed) {
    const kept = `kept   ${caseId}: input, bundle and parameters unchanged (--force redoes it)`;
    return fault ? `${kept}, ${fault}` : kept;
  }
  const parts = [`${report.volumeMl.toFixed(0)} ml`];
  if (report.comparison)
    parts.push(`Dice ${metricValue(report.comparison.panel, 'dice').toFixed(3)}`);
  if (fault) parts.push(fault);
  const review = report.flags.filter((flag) => flag.severity === 'review');
  if (review.length > 0) parts.push(`look at: ${review.map((flag) => flag.code).join(', ')}`);
  parts.push(duration(seconds * 1000));
  return `done   ${caseId}: ${parts.join(', ')} -> ${path.join(out, caseId)}`;
}

export function summaryLine(summary: RunSummary, out: string): string {
  const counts = [
    `${summary.segmented} segmented`,
    summary.skipped > 0 && `${summary.skipped} of them kept from before`,
    summary.failed > 0 && `${summary.failed} failed`,
    summary.meanDice !== null && `mean Dice ${summary.meanDice.toFixed(3)}`,
  ].filter(Boolean);
  return `${counts.join(', ')}; summary in ${path.join(out, 'summary.csv')}`;
}
