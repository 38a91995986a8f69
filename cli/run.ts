import path from 'node:path';
import type { Command } from 'commander';
import { lockFolder } from '../adapters/dir-lock.ts';
import { metricValue } from '../core/contract/panel.ts';
import { codesToReview, organVolumeMl } from '../core/contract/report.ts';
import type { RunSummary } from '../core/contract/summary.ts';
import { faultText } from '../core/errors.ts';
import { putJson } from '../core/json.ts';
import { summarise, summariseTargets, summaryCsv } from '../core/stage/summary.ts';
import { type CollectOptions, collectCases } from './cases.ts';
import { folderName, report, share, withModel, withOutput } from './command.ts';
import { dryRun } from './dry-run.ts';
import { EXIT } from './exit-codes.ts';
import { withLabels } from './labels.ts';
import type { LeftOut } from './left-out.ts';
import { leftOutCounts } from './left-out.ts';
import { closeRun, isDefect, type LocalRun, type ModelOptions } from './local.ts';
import { duration, type Progress, TimeLeft } from './progress.ts';
import { refuseCorrected } from './refuse-corrected.ts';
import { writeRunIndex } from './run-index.ts';
import { openRuns, refuseOtherLayout, runTargets, type TargetOutcome } from './run-targets.ts';

/** `sammix run` */
export function define(command: Command): void {
  command
    .argument('<inputs...>', 'NIfTI files, DICOM folders or zips, or folders of them')
    .requiredOption('-o, --out <dir>', 'folder for masks, reports and the summary', folderName)
    .option('-l, --label <path>', 'a label file, or a folder of labels: adds Dice and distances')
    .option('--pairs <csv>', 'columns image,label: which label belongs to which image');
  withOutput(withModel(withLabels(command), { several: true }))
    .option('--no-postprocess', 'keep every component and hole of the drawn mask')
    .option('--threshold <p>', "draw voxels above this probability (default: the bundle's)", share)
    .option('--probability', 'also write probability.nii.gz, 8 bits, on the grid of the input')
    .option(
      '--label-map',
      'also write labels.nii.gz: all targets in one volume, counted from 1',
      false,
    )
    .option('--no-dicom-seg', 'write no DICOM-SEG for cases that came from DICOM')
    .option('--dry-run', 'say what would be done with each case, and do nothing', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sammix run ct.nii.gz --out results
  $ sammix run study.zip --out results
  $ sammix run imagesTr --label labelsTr --out results
  $ sammix run scans --out results --json > summary.json
  $ sammix run scans --out results --bundle liver --bundle my-spleen --label-map

Results:  <out>/<case>/{mask.nii.gz,report.json,report.html,overlay.png}, <out>/index.html, <out>/summary.{csv,json};
          with several bundles <out>/<case>/<target>/..., and <out>/<case>/report.{html,json} over all targets
Exit:     0 all done, 1 some cases failed, 2 usage, 3 bundle, 4 output not writable, 130 interrupted`,
    )
    .action(async (inputs: string[], options: RunOptions) => {
      if (options.dryRun) return report(command, (progress) => dryRun(inputs, options, progress));
      await report(command, async (progress) => {
        const { summary, exitCode } = await runCommand(inputs, options, progress);
        const errors = summary.cases.flatMap(({ caseId, status, reason }) =>
          reason === null
            ? []
            : [`${status === 'failed' ? 'FAILED' : 'NOT COMPARED'} ${caseId}: ${reason}`],
        );
        return { result: summary, errors, exitCode };
      });
    });
}

export interface RunOptions extends Omit<ModelOptions, 'bundle'>, CollectOptions {
  readonly out: string;
  /** Several make a mask for each of their targets. */
  readonly bundle?: string | readonly string[];
  readonly labelMap?: boolean;
  readonly dryRun?: boolean;
}

/** `sammix run`: every case to a mask and a report for each target, and a summary of them all. */
export async function runCommand(
  paths: readonly string[],
  options: RunOptions,
  progress: Progress,
): Promise<{ summary: RunSummary; exitCode: number }> {
  const { cases, leftOut, notes } = await collectCases(paths, options, { labelsBeside: false });
  for (const note of notes) progress.line(note);
  const runs = await openRuns(options, progress);
  const { store } = runs[0]!;
  const outcomes: TargetOutcome[] = [];
  let release = async (): Promise<void> => undefined;
  try {
    release = await lockFolder(options.out);
    // First of all: an output that cannot be written is found before hours of work, not after.
    await store.sweep('', { deep: false });
    await refuseOtherLayout(runs, cases);
    await refuseCorrected(runs, cases);
    await writeSummary(runs, outcomes, leftOut);
    const left = new TimeLeft();
    for (const [at, input] of cases.entries()) {
      progress.begin(input.caseId, `[${at + 1}/${cases.length}${left.text(cases.length - at)}]`);
      const done = await runTargets(runs, input, options.labelMap ?? false);
      outcomes.push(...done);
      left.add({
        resumed: done.every(({ resumed }) => resumed),
        ms: done.reduce((sum, { seconds }) => sum + seconds * 1000, 0),
      });
      for (const outcome of done) progress.line(caseLine(outcome, options.out));
      // After every case, so that an interrupted run leaves a summary of what is done.
      await writeSummary(runs, outcomes, leftOut);
    }
    await writeRunIndex(runs, outcomes, cases.length);
  } finally {
    for (const run of runs) await closeRun(run);
    await release();
  }
  const summary = summaryOf(runs, outcomes, leftOut);
  progress.line(summaryLine(summary, options.out));
  const wrong = outcomes.some(
    ({ report }) => report.status === 'failed' || report.comparisonFault !== null,
  );
  if (outcomes.some(({ report }) => isDefect(report))) return { summary, exitCode: EXIT.defect };
  return { summary, exitCode: wrong ? EXIT.someCasesFailed : EXIT.ok };
}

function summaryOf(
  runs: readonly LocalRun[],
  outcomes: readonly TargetOutcome[],
  leftOut: readonly LeftOut[],
): RunSummary {
  const summary =
    runs.length === 1
      ? summarise(outcomes, runs[0]!.bundle.digest)
      : summariseTargets(
          outcomes,
          runs.map(({ bundle: { manifest, digest } }) => ({
            target: manifest.target.name,
            bundleDigest: digest,
          })),
        );
  return { ...summary, leftOut: leftOutCounts(leftOut) };
}

async function writeSummary(
  runs: readonly LocalRun[],
  outcomes: readonly TargetOutcome[],
  leftOut: readonly LeftOut[],
): Promise<void> {
  const { store } = runs[0]!;
  const summary = summaryOf(runs, outcomes, leftOut);
  await putJson(store, 'summary.json', summary);
  await store.put('summary.csv', Buffer.from(summaryCsv(summary)));
}

/** One case, or one target of it, in one line. */
export function caseLine(
  { report, target, folder, resumed, seconds }: TargetOutcome,
  out: string,
): string {
  const caseId = target === undefined ? report.caseId : `${report.caseId}, ${target}`;
  if (report.status === 'failed') return `FAILED ${caseId}: ${faultText(report.fault)}`;
  const fault = report.comparisonFault && `NOT COMPARED: ${faultText(report.comparisonFault)}`;
  if (resumed) {
    const kept = `kept   ${caseId}: input, bundle and parameters unchanged (--force redoes it)`;
    return fault ? `${kept}, ${fault}` : kept;
  }
  const volumeMl = organVolumeMl(report);
  const parts = [volumeMl === null ? 'NO ABDOMEN, no volume' : `${volumeMl.toFixed(0)} ml`];
  if (report.maskEdited) parts.push('of the mask as it was corrected by hand');
  if (report.comparison)
    parts.push(`Dice ${metricValue(report.comparison.panel, 'dice').toFixed(3)}`);
  if (fault) parts.push(fault);
  const toReview = codesToReview(report.flags);
  if (toReview.length > 0) parts.push(`look at: ${toReview.join(', ')}`);
  parts.push(duration(seconds * 1000));
  return `done   ${caseId}: ${parts.join(', ')} -> ${path.join(out, report.caseId, folder ?? '')}`;
}

export function summaryLine(summary: RunSummary, out: string): string {
  const counts = [
    `${summary.segmented} segmented`,
    summary.skipped > 0 && `${summary.skipped} of them kept from before`,
    summary.failed > 0 && `${summary.failed} failed`,
    summary.notCompared && `${summary.notCompared} not compared with their label`,
    summary.meanDice !== null && `mean Dice ${summary.meanDice.toFixed(3)}`,
  ].filter(Boolean);
  return `${counts.join(', ')}; open ${path.join(out, 'index.html')}, or: sammix view ${out}`;
}
