import { createHash } from 'node:crypto';
import type { InputIdentity, Parameters } from './manifest.ts';

/**
 * Input version, bundle digest and parameters decide the run: the same three give the same id on
 * every machine, so a duplicate event or a second command finds the finished run.
 */
export function runId(
  input: Pick<InputIdentity, 'name' | 'version'>,
  bundleDigest: string,
  parameters: Parameters,
): string {
  const canonical = JSON.stringify([
    input.name,
    input.version,
    bundleDigest,
    parameters.largestComponent3d,
    parameters.fillHoles,
  ]);
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16);
}
