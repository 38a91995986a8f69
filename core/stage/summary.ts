import { targetOf } from '../contract/bundle.ts';
import type { TargetMeasures } from '../contract/measures.ts';
import { metricValue, toExtended } from '../contract/panel.ts';
import { type CaseReport, isNoAbdomen, organVolumeMl } from '../contract/report.ts';
import type { RunSummary, SummaryRow } from '../contract/summary.ts';
import { csvText } from '../evaluation/csv.ts';

export interface SummarisedCase {
  readonly report: CaseReport;
  /** Where the run has several targets. */
  readonly target?: string;
  readonly resumed: boolean;
  readonly seconds: number;
}

/** All cases of a run. Failed ones stay in the table and, where a label was meant, in a second mean. */
export const summarise = (cases: readonly SummarisedCase[], bundleDigest: string): RunSummary =>
  summariseRows(cases.map(toRow), bundleDigest);

export function summariseRows(rows: readonly SummaryRow[], bundleDigest: string): RunSummary {
  const failed = rows.filter((row) => row.status === 'failed').length;
  return {
    schemaVersion: 1,
    bundleDigest,
    cases: [...rows],
    segmented: rows.length - failed,
    failed,
    skipped: rows.filter((row) => row.resumed).length,
    // The reason of a mask is that its label could not be used.
    notCompared: rows.filter((row) => row.status === 'segmented' && row.reason !== null).length,
    ...meanDiceOf(rows),
  };
}

/** A run of several targets: a row for each case and target; a mean over different organs is none. */
export const summariseTargets = (
  cases: readonly SummarisedCase[],
  targets: readonly { readonly target: string; readonly bundleDigest: string }[],
): RunSummary => summariseRowsOf(cases.map(toRow), targets);

export const summariseRowsOf = (
  rows: readonly SummaryRow[],
  targets: readonly { readonly target: string; readonly bundleDigest: string }[],
): RunSummary => {
  return {
    ...summariseRows(rows, targets[0]!.bundleDigest),
    meanDice: null,
    meanDiceFailuresAsZero: null,
    targets: targets.map((one) => ({
      ...one,
      ...meanDiceOf(rows.filter(({ target }) => target === one.target)),
    })),
  };
};

function meanDiceOf(
  rows: readonly SummaryRow[],
): Pick<RunSummary, 'meanDice' | 'meanDiceFailuresAsZero'> {
  const compared = rows.flatMap((row) => (row.dice === null ? [] : [row.dice]));
  const failed = rows.filter((row) => row.status === 'failed').length;
  const sum = compared.reduce((total, dice) => total + dice, 0);
  return {
    meanDice: compared.length === 0 ? null : sum / compared.length,
    meanDiceFailuresAsZero: compared.length === 0 ? null : sum / (compared.length + failed),
  };
}

export function toRow({ report, target, resumed, seconds }: SummarisedCase): SummaryRow {
  const { caseId, status } = report;
  const row = { caseId, ...(target !== undefined && { target }), status, resumed, seconds };
  if (report.status === 'failed') {
    const { expected, found } = report.fault;
    const reason = `${report.fault.code}: expected ${expected}, found ${found}`;
    const nothing = { volumeMl: null, flags: [], ...organMeasures(undefined) };
    return { ...row, ...nothing, dice: null, hd95Mm: null, reason };
  }
  const panel = report.comparison?.panel;
  return {
    ...row,
    volumeMl: organVolumeMl(report),
    flags: report.flags.map((flag) => flag.code),
    ...organMeasures(
      isNoAbdomen(report.flags)
        ? undefined
        : report.measures?.find(({ target }) => target === targetOf(report.bundle)),
    ),
    dice: panel ? metricValue(panel, 'dice') : null,
    hd95Mm: panel ? toExtended(metricValue(panel, 'hd95Mm')) : null,
    reason: report.comparisonFault?.code ?? null,
  };
}

const organMeasures = (measures: TargetMeasures | undefined) => ({
  surfaceAreaMm2: measures?.surfaceAreaMm2 ?? null,
  longestAxialDiameterMm: measures?.longestAxialDiameterMm ?? null,
  meanHu: measures?.inside?.meanHu ?? null,
  sdHu: measures?.inside?.sdHu ?? null,
  medianHu: measures?.inside?.medianHu ?? null,
  erodedMeanHu: measures?.eroded?.meanHu ?? null,
  below40HuShare: measures?.inside?.below40HuShare ?? null,
});

const COLUMNS = [
  'caseId',
  'status',
  'resumed',
  'volumeMl',
  'dice',
  'hd95Mm',
  'flags',
  'seconds',
  'reason',
  'surfaceAreaMm2',
  'longestAxialDiameterMm',
  'meanHu',
  'sdHu',
  'medianHu',
  'erodedMeanHu',
  'below40HuShare',
] as const satisfies readonly (keyof SummaryRow)[];

/** As many decimals as mean something; `summary.json` has them all. */
const DECIMALS: Partial<Record<keyof SummaryRow, number>> = {
  volumeMl: 1,
  dice: 4,
  hd95Mm: 2,
  seconds: 1,
};

const rounded = <Value>(column: keyof SummaryRow, value: Value): Value | number =>
  typeof value === 'number' ? Number(value.toFixed(DECIMALS[column] ?? 4)) : value;

export function summaryCsv(summary: RunSummary): string {
  const columns = summary.targets ? [...COLUMNS, 'target' as const] : COLUMNS;
  return csvText(
    columns,
    summary.cases.map((row) => columns.map((column) => rounded(column, row[column]))),
  );
}
