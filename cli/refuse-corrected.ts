import { ConfigError } from '../core/errors.ts';
import { readReport } from '../core/stage/finished-report.ts';
import { isCorrected } from '../core/stage/report-again.ts';
import type { LabelCase } from './cases.ts';
import { keysOf, type LocalRun } from './local.ts';

/**
 * A run of another bundle, or with other parameters, draws every mask anew; those that a person has corrected are not
 * drawn over unasked. Of all cases at once, though it reads the report of each, as its turn will again: a command
 * that stopped in the middle of the night would have cost more.
 *
 * @throws ConfigError where a mask that would be drawn again has been corrected, unless `force` is set
 */
export async function refuseCorrected(
  runs: readonly LocalRun[],
  cases: readonly Pick<LabelCase, 'caseId'>[],
): Promise<void> {
  const lost: string[] = [];
  for (const run of runs.filter(({ force }) => !force))
    for (const { caseId } of cases) {
      const keys = keysOf(run, caseId);
      const report = await readReport(run.store, keys);
      if (report?.status !== 'segmented' || isSameRun(run, report)) continue;
      if (await isCorrected(report, keys, run.store)) lost.push(keys.mask);
    }
  if (lost.length > 0) throw corrected(runs[0]!.store.root, lost);
}

/** Of the same bundle and parameters: such a run keeps what was corrected. */
function isSameRun(
  { bundle, parameters }: Pick<LocalRun, 'bundle' | 'parameters'>,
  report: {
    readonly bundle: { readonly digest: string };
    readonly parameters?: object | undefined;
  },
): boolean {
  const sorted = (one: object): string => JSON.stringify(Object.entries(one).sort());
  return (
    report.bundle.digest === bundle.digest && sorted(report.parameters ?? {}) === sorted(parameters)
  );
}

const corrected = (out: string, masks: readonly string[]): ConfigError =>
  new ConfigError({
    code: 'corrected-by-hand',
    subject: out,
    expected: 'masks as a run drew them, or the bundle and parameters with which they were drawn',
    found: `corrected by hand: ${masks.slice(0, 5).join(', ')}${masks.length > 5 ? ', ...' : ''}`,
    remedy: 'Name another --out; --force draws over them.',
  });
