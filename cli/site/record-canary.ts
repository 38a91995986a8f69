import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DirStore } from '../../adapters/dir-store.ts';
import { openRuntime } from '../../adapters/onnx.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { parametersOf } from '../../core/contract/manifest.ts';
import { metricValue } from '../../core/contract/panel.ts';
import { toJsonBytes } from '../../core/json.ts';
import { openBundle } from '../../core/stage/open-bundle.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { activeFor } from '../../site/bundles.ts';
import {
  CANARY_SCAN,
  type CanaryReference,
  canaryCase,
  canarySeeds,
} from '../../site/contract/canary.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { caseLabel } from '../cases.ts';
import { type LocalRun, runLocally } from '../local.ts';
import { silentProgress } from '../progress.ts';

/** As many as a site has by default; more are recorded by its first canary. */
const CASES = 2;

/**
 * Segments the canary's scans here, with the bundle that is being registered, and leaves the results
 * at the site: its canary is held to them. What is known of a bundle stays; one for a further target has no
 * canary.
 */
export async function recordCanary(
  store: S3Store,
  folder: string,
  cases = CASES,
): Promise<CanaryReference | undefined> {
  const bundle = await openBundle(new DirStore(folder), folder);
  const key = cloudKeys.canaryReference(bundle.digest);
  const { target } = await activeFor(store, bundle.manifest.target.name);
  if (target !== undefined || (await store.stat(key))) return undefined;
  const runtime = await openRuntime(bundle, { threads: 0, providers: ['cpu'] });
  const scratch = await mkdtemp(path.join(tmpdir(), 'sammix-canary-'));
  try {
    const run: LocalRun = {
      store: new DirStore(path.join(scratch, 'out')),
      bundle,
      runtime,
      parameters: parametersOf(bundle.manifest),
      slicesPerSlab: CANARY_SCAN.slices,
      force: true,
      keepEdited: false,
      progress: silentProgress,
    };
    const reference: CanaryReference = { schemaVersion: 1, digest: bundle.digest, cases: [] };
    for (const seed of canarySeeds(cases)) reference.cases.push(await measure(seed, run, scratch));
    await store.putIf(key, toJsonBytes(reference));
    return reference;
  } finally {
    await runtime.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function measure(
  seed: number,
  run: LocalRun,
  scratch: string,
): Promise<CanaryReference['cases'][number]> {
  const { ct, label } = encodePhantom(phantomCase({ seed, ...CANARY_SCAN }));
  const [image, labelFile] = [`${canaryCase(seed)}.nii`, `${canaryCase(seed)}-label.nii`].map(
    (name) => path.join(scratch, name),
  ) as [string, string];
  await writeFile(image, ct);
  await writeFile(labelFile, label);
  const { report } = await runLocally(
    run,
    { caseId: canaryCase(seed), image },
    caseLabel(labelFile, undefined, { caseId: canaryCase(seed), image }, {}),
  );
  if (report.status === 'failed' || !report.comparison)
    throw new Error(`the synthetic scan ${seed} could not be segmented and compared`);
  return {
    seed,
    dice: metricValue(report.comparison.panel, 'dice'),
    volumeMl: report.volumeMl,
    measuredBy: 'registration',
  };
}
