import { availableParallelism } from 'node:os';
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import { openRuntimeInThread } from '../adapters/onnx-thread.ts';
import type { RunSummary } from '../core/contract/report.ts';
import { openBundle } from '../core/stage/open-bundle.ts';
import { summarise, summaryCsv } from '../core/stage/summary.ts';
import { DEFAULT_BUNDLE } from './default-bundle.ts';
import { EXIT } from './exit-codes.ts';
import { findInputs } from './inputs.ts';
import { labelFinder } from './labels.ts';
import { caseLine, summaryLine } from './lines.ts';
import { type CaseOutcome, type LocalRun, runCase } from './local.ts';
import type { Progress } from './progress.ts';

export interface RunOptions {
  readonly out: string;
  readonly label?: string;
  readonly bundle?: string;
  readonly threads?: number;
  readonly slicesPerJob: number;
  readonly postprocess: boolean;
  readonly force: boolean;
}

/** `sammix run`: every case to a mask and a report, and a summary of them all. */
export async function runCommand(
  paths: readonly string[],
  options: RunOptions,
  progress: Progress,
): Promise<{ summary: RunSummary; exitCode: number }> {
  const { cases, leftOut } = await findInputs(paths);
  const findLabel = await labelFinder(options.label, cases);
  if (leftOut.length > 0 && options.label === undefined)
    progress.line(
      `left out as labels or further channels: ${leftOut.length} (e.g. ${path.basename(leftOut[0]!)})`,
    );
  const run = await openRun(options, progress);
  const outcomes: CaseOutcome[] = [];
  try {
    // First of all: an output that cannot be written is found before hours of work, not after.
    await writeSummary(run, outcomes);
    for (const [at, input] of cases.entries()) {
      progress.begin(input.caseId, `[${at + 1}/${cases.length}]`);
      const outcome = await runCase(run, input, findLabel(input));
      outcomes.push(outcome);
      progress.line(caseLine(outcome, options.out));
      // After every case, so that an interrupted run leaves a summary of what is done.
      await writeSummary(run, outcomes);
    }
  } finally {
    await closeRun(run);
  }
  const summary = summarise(outcomes, run.bundle.digest);
  progress.line(summaryLine(summary, options.out));
  const wrong = outcomes.some(
    ({ report }) => report.status === 'failed' || report.comparisonFault !== null,
  );
  return { summary, exitCode: wrong ? EXIT.someCasesFailed : EXIT.ok };
}

/** Opens the bundle and begins to load its graphs; `closeRun` must follow. */
export async function openRun(
  options: Omit<RunOptions, 'label'>,
  progress: Progress,
): Promise<LocalRun> {
  const folder = options.bundle ?? DEFAULT_BUNDLE;
  const opening = openBundle(new DirStore(folder), folder);
  // Not awaited: the graphs are loaded while the first input is read.
  const runtime = openRuntimeInThread(opening, {
    threads: options.threads ?? availableParallelism(),
    providers: ['cuda', 'cpu'],
  });
  runtime.catch(() => undefined);
  const bundle = await opening;
  const { largestComponent3d, fillHoles } = bundle.manifest.postprocess;
  return {
    store: new DirStore(options.out),
    bundle,
    runtime,
    parameters: {
      largestComponent3d: options.postprocess && largestComponent3d,
      fillHoles: options.postprocess && fillHoles,
    },
    slicesPerSlab: options.slicesPerJob,
    force: options.force,
    progress,
  };
}

/** A runtime that did not open has nothing to close, and whoever needed it has been told. */
export async function closeRun({ runtime }: LocalRun): Promise<void> {
  const opened = await Promise.resolve(runtime).catch(() => undefined);
  await opened?.close();
}

async function writeSummary(run: LocalRun, outcomes: readonly CaseOutcome[]): Promise<void> {
  const summary = summarise(outcomes, run.bundle.digest);
  await run.store.put('summary.json', Buffer.from(`${JSON.stringify(summary, null, 2)}\n`));
  await run.store.put('summary.csv', Buffer.from(summaryCsv(summary)));
}
