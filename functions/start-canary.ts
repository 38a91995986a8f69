import { gzipSync } from 'node:zlib';
import type { RegisteredBundle } from '../adapters/active-bundle.ts';
import type { Log } from '../adapters/log.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { CANARY_DATASET, CANARY_SCAN, canaryCase, canarySeeds } from '../core/contract/canary.ts';
import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { BundleError } from '../core/errors.ts';
import { encodePhantom } from '../core/phantom/nifti.ts';
import { phantomCase } from '../core/phantom/phantom.ts';

export interface StartCanaryPorts {
  readonly store: S3Store;
  readonly bundle: () => Promise<RegisteredBundle>;
  readonly log: Log;
}

/**
 * Uploads the canary's scans as anyone uploads: what follows is the deployed site at work. A site
 * without a bundle cannot segment yet; its first activation starts the canary.
 */
export async function startCanary(
  cases: number,
  { store, bundle, log }: StartCanaryPorts,
): Promise<void> {
  try {
    await bundle();
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return log.info('canary-without-bundle', { code: error.code });
  }
  for (const seed of canarySeeds(cases)) {
    const { ct, label } = encodePhantom(phantomCase({ seed, ...CANARY_SCAN }));
    const file = `${canaryCase(seed)}.nii.gz`;
    await store.put(cloudKeys.incoming(CANARY_DATASET, 'labels', file), gzipSync(label));
    await store.put(cloudKeys.incoming(CANARY_DATASET, 'images', file), gzipSync(ct));
  }
  log.info('canary-started', { count: cases });
}
