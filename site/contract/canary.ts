import * as z from 'zod';
import { Sha256 } from '../../core/contract/ids.ts';
import { ObjectCreated } from './events.ts';

/**
 * The canary: synthetic scans with known livers, sent through the deployed site as uploads are, and
 * held to what the same bundle made of them before.
 */

/** A dataset of its own, so that no patient's results mix with it. */
export const CANARY_DATASET = 'canary';

/** Small enough for a minute of one job; drawn by seed, so every site has the same. */
export const CANARY_SCAN = { columns: 128, rows: 128, slices: 32 } as const;

export const canaryCase = (seed: number): string => `phantom-${seed}`;

export function seedOfCanaryCase(caseId: string): number | undefined {
  const [, seed] = /^phantom-(\d+)$/.exec(caseId) ?? [];
  return seed === undefined ? undefined : Number(seed);
}

/** The scans of a canary with so many cases. */
export const canarySeeds = (cases: number): number[] =>
  Array.from({ length: cases }, (_, index) => 101 + index);

/** A GPU rounds differently from a CPU: some voxels at the border of a mask may go either way. */
export const CANARY_TOLERANCE = { dice: 0.02, volumeShare: 0.03 } as const;

/** `models/canaries/<digest>.json`: what a bundle makes of the canary's scans. */
export const CanaryReference = z.strictObject({
  schemaVersion: z.literal(1),
  digest: Sha256,
  cases: z.array(
    z.strictObject({
      seed: z.int().nonnegative(),
      dice: z.number().min(0).max(1),
      volumeMl: z.number().nonnegative(),
      /** `registration`: by the machine that registered it. `site`: by the site's first canary. */
      measuredBy: z.enum(['registration', 'site']),
    }),
  ),
});
export type CanaryReference = z.infer<typeof CanaryReference>;

/** EventBridge, `aws.cloudformation`: a stack was created or updated. */
export const StackChanged = z.object({
  source: z.literal('aws.cloudformation'),
  'detail-type': z.literal('CloudFormation Stack Status Change'),
  time: z.iso.datetime(),
  detail: z.object({ 'stack-id': z.string() }),
});

/** What starts a canary (a deployment, an activation) and what ends a scan of it (its report). */
export const CanaryEvent = z.discriminatedUnion('source', [StackChanged, ObjectCreated]);
export type CanaryEvent = z.infer<typeof CanaryEvent>;
