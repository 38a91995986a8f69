import path from 'node:path';
import { provenance } from '../adapters/provenance.ts';
import { bundleDisplay } from '../core/contract/bundle.ts';
import { runKeys } from '../core/contract/keys.ts';
import type { LocalOutcome, LocalRun } from './local.ts';

/** `index.html` over all cases of a run. */
export async function writeRunIndex(
  { store, bundle }: LocalRun,
  outcomes: readonly LocalOutcome[],
  cases: number,
): Promise<void> {
  // Loaded when needed: the charting library costs more to load than a short command runs.
  const { runPage } = await import('../core/report/run-page.ts');
  const rows = await Promise.all(
    outcomes.map(async ({ report, resumed, seconds }) => {
      const keys = runKeys(report.caseId);
      const drawn = report.status === 'segmented' && (await store.stat(keys.thumbnail));
      return {
        report,
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
    bundle: bundleDisplay(bundle.manifest, bundle.digest),
    cases,
  });
  await store.put('index.html', Buffer.from(page));
}
