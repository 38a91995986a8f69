import { faultText, SammixError } from '../core/errors.ts';
import { collectCases, type LabelCase } from './cases.ts';
import type { Finished } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { leftOutCounts } from './left-out.ts';
import { isDone, type RunToBe } from './local.ts';
import type { Progress } from './progress.ts';
import type { RunOptions } from './run.ts';
import { planRuns } from './run-targets.ts';

interface PlannedCase {
  readonly caseId: string;
  /** Where the run has several. */
  readonly target?: string;
  readonly image: string;
  readonly label: string | null;
  /** `keep` what lies in the output folder, `segment` it, or `refuse` what cannot be opened. */
  readonly action: 'keep' | 'segment' | 'refuse';
  /** Why it would be refused. */
  readonly reason: string | null;
}

/**
 * `sammix run --dry-run`: the same cases, labels and bundle, but no graph is loaded and nothing is written.
 * Images are read to know them again, not looked at: that is `sammix check`.
 */
export async function dryRun(
  paths: readonly string[],
  options: RunOptions,
  progress: Progress,
): Promise<Finished> {
  const { cases, leftOut, notes } = await collectCases(paths, options, { labelsBeside: false });
  for (const note of notes) progress.line(note);
  const runs = await planRuns(options);
  const planned: PlannedCase[] = [];
  const todo = cases.flatMap((input, at) => runs.map((run) => ({ input, at, run })));
  for (const { input, at, run } of todo) {
    progress.begin(input.caseId, `[${at + 1}/${cases.length}]`);
    const done = options.force
      ? { done: false, reason: null }
      : await isDone(run, input, input.label).then(
          (done) => ({ done, reason: null }),
          (error: unknown) => ({ done: false, reason: reasonOf(error) }),
        );
    const one = plannedCase(input, run, done);
    planned.push(one);
    progress.line(lineOf(one));
  }
  const result = {
    bundleDigest: runs[0]!.bundle.digest,
    cases: planned,
    leftOut: leftOutCounts(leftOut),
  };
  const toDo = planned.filter(({ action }) => action === 'segment').length;
  const refused = planned.filter(({ action }) => action === 'refuse').length;
  progress.line(
    `${toDo} to segment, ${planned.length - toDo - refused} to keep, ${refused} refused; nothing was done`,
  );
  return { result, exitCode: refused > 0 ? EXIT.someCasesFailed : EXIT.ok };
}

const plannedCase = (
  input: LabelCase,
  { folder, bundle }: RunToBe,
  { done, reason }: { readonly done: boolean; readonly reason: string | null },
): PlannedCase => ({
  caseId: input.caseId,
  ...(folder !== undefined && { target: bundle.manifest.target.name }),
  image: input.image,
  label: typeof input.label?.file === 'string' ? input.label.file : null,
  action: reason !== null ? 'refuse' : done ? 'keep' : 'segment',
  reason,
});

function reasonOf(error: unknown): string {
  if (error instanceof SammixError) return faultText(error.fault);
  throw error;
}

function lineOf({ action, caseId, target, image, label, reason }: PlannedCase): string {
  const name = target === undefined ? caseId : `${caseId}, ${target}`;
  return action === 'refuse'
    ? `REFUSE  ${name}: ${reason}`
    : `${action.padEnd(7)} ${name}: ${image}${label === null ? '' : `, label ${label}`}`;
}
