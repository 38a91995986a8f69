import type * as z from 'zod';
import type { S3Store } from '../adapters/s3-store.ts';
import { StillInProgress } from './context.ts';
import { replaceJson, replaceTagged } from './records.ts';

/**
 * One invocation at a time works on a record. Whoever claims it writes the time into it, by a
 * conditional write, so that of two that try one wins. A claim older than the lease was left by a
 * crash and is taken over; one that failed gives it back, so that the next attempt need not wait.
 */
export interface Lease<Schema extends z.ZodType<Leased>> {
  readonly store: S3Store;
  readonly key: string;
  readonly schema: Schema;
  /** The timeout of the function that claims: whatever is older has ended. */
  readonly leaseSeconds: number;
  /**
   * What a record that is there allows. `held`: by whoever claimed it, as long as the lease lasts.
   * `free`: nobody works on it. `done`: nothing is to do, or it is too early.
   */
  readonly stateOf: (record: z.output<Schema>) => 'held' | 'free' | 'done';
}

interface Leased {
  readonly claimedAt: string;
}

/** A record as it was last written. */
export interface Tagged<Record> {
  readonly record: Record;
  /** For the next conditional write; undefined where it is not written yet. */
  readonly etag: string | undefined;
}

/** The claim of an attempt that failed: older than every lease. */
const GIVEN_BACK = new Date(0).toISOString();

/**
 * Claims a record, works, and gives it back where the work fails.
 *
 * @param claimed the record to write, from the one that is there; its `claimedAt` is set here
 * @returns what the work returned; undefined where nothing was to do
 * @throws StillInProgress where another invocation has it
 */
export async function underLease<Schema extends z.ZodType<Leased>, Result>(
  lease: Lease<Schema>,
  claimed: (current: z.output<Schema> | undefined) => z.output<Schema>,
  work: (held: Tagged<z.output<Schema>>) => Promise<Result>,
): Promise<Result | undefined> {
  const held = await claim(lease, claimed);
  if (!held) return undefined;
  try {
    return await work(held);
  } catch (error) {
    // Where even that fails the lease ends by itself; what went wrong first is what counts.
    await giveBack(lease, held.record.claimedAt).catch(() => undefined);
    throw error;
  }
}

const claim = <Schema extends z.ZodType<Leased>>(
  { store, key, schema, leaseSeconds, stateOf }: Lease<Schema>,
  claimed: (current: z.output<Schema> | undefined) => z.output<Schema>,
): Promise<Tagged<z.output<Schema>> | undefined> =>
  replaceTagged(store, key, schema, (now) => {
    const state = now === undefined ? 'free' : stateOf(now);
    if (state === 'done') return undefined;
    if (state === 'held' && now !== undefined && ageSeconds(now) < leaseSeconds)
      throw new StillInProgress();
    return { ...claimed(now), claimedAt: new Date().toISOString() };
  });

/** Leaves the record alone where it has moved on, or another has claimed it since. */
async function giveBack<Schema extends z.ZodType<Leased>>(
  { store, key, schema, stateOf }: Lease<Schema>,
  claimedAt: string,
): Promise<void> {
  await replaceJson(store, key, schema, (now) =>
    now !== undefined && now.claimedAt === claimedAt && stateOf(now) === 'held'
      ? { ...now, claimedAt: GIVEN_BACK }
      : undefined,
  );
}

const ageSeconds = ({ claimedAt }: Leased): number => (Date.now() - Date.parse(claimedAt)) / 1000;
