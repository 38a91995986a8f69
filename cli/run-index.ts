import path from 'node:path';
import { provenance } from '../adapters/provenance.ts';
import { bundleDisplay } from '../core/contract/bundle.ts';
import { keysOf, type LocalRun } from './local.ts';
import type { TargetOutcome } from './run-targets.ts';

/** `index.html` over all cases and targets of a run. */
export async function writeRunIndex(
  runs: readonly LocalRun[],
  outcomes: readonly TargetOutcome[],
  cases: number,
): Promise<void> {
  const { store } = runs[0]!;
  // Loaded when needed: the charting library costs more to load than a short command runs.
  const { runPage } = await import('../core/report/run-page.ts');
  const rows = await Promise.all(
    outcomes.map(async ({ report, target, folder, resumed, seconds }) => {
      const keys = keysOf(folder === undefined ? {} : { folder }, report.caseId);
      const drawn = report.status === 'segmented' && (await store.stat(keys.thumbnail));
      return {
        report,
        ...(target !== undefined && { target }),
        thumbnailPng: drawn ? await store.get(keys.thumbnail) : null,
        reportHref: `${encodeURIComponent(report.caseId)}/report.html`,
        seconds: resumed ? null : seconds,
      };
    }),
  );
  const page = runPage(rows, {
    name: path.basename(path.resolve(store.root)),
    createdAt: new Date().toISOString(),
    sammixVersion: provenance(null).sammixVersion,
    bundles: runs.map(({ bundle }) => bundleDisplay(bundle.manifest, bundle.digest)),
    cases,
  });
  await store.put('index.html', Buffer.from(page));
}
