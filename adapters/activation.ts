import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { type Activation, ActiveBundle } from '../core/contract/messages.ts';
import { PromotionDecision, type PromotionReason } from '../core/contract/promotion.ts';
import { fromJsonBytes, toJsonBytes } from './json-object.ts';
import type { S3Store } from './s3-store.ts';

/** Which bundle a site uses: `models/active.json`, and a decision for every time that it changed. */

export interface ActiveState {
  readonly active: ActiveBundle | undefined;
  /** Of the object as read, so that a change replaces exactly that. */
  readonly etag: string | undefined;
}

export type BundleIdentity = Pick<Activation, 'prefix' | 'digest'>;

/** Activations that a rollback can go back through. */
const KEPT_ACTIVATIONS = 50;

export async function readActive(store: S3Store): Promise<ActiveState> {
  const found = await store.getTagged(cloudKeys.activeBundle);
  return { active: found && fromJsonBytes(ActiveBundle, found.body), etag: found?.etag };
}

export interface RecordedDecision {
  readonly key: string;
  readonly decision: PromotionDecision;
  readonly isNew: boolean;
}

/**
 * Writes a decision down under its time and candidate. Where that is decided already, the first
 * decision stands and is returned.
 */
export async function recordDecision(
  store: S3Store,
  decision: PromotionDecision,
  time: string = decision.decidedAt,
): Promise<RecordedDecision> {
  const key = cloudKeys.decision(time, decision.candidate.digest);
  if ((await store.putIf(key, toJsonBytes(decision))) !== undefined)
    return { key, decision, isNew: true };
  const first = fromJsonBytes(PromotionDecision, await store.get(key));
  return { key, decision: first, isNew: false };
}

/** Writes down what a person has decided, and why. Returns the decision's key. */
export async function recordPersonalDecision(
  store: S3Store,
  candidate: BundleIdentity,
  incumbent: BundleIdentity | undefined,
  reason: PromotionReason,
): Promise<string> {
  for (;;) {
    const decision: PromotionDecision = {
      schemaVersion: 1,
      decidedAt: new Date().toISOString(),
      dataset: null,
      candidate: { digest: candidate.digest, evaluationId: null },
      incumbent: incumbent ? { digest: incumbent.digest, evaluationId: null } : null,
      policy: null,
      promoted: true,
      reasons: [reason],
      patients: 0,
      diceDifference: null,
      strata: [],
    };
    const { key, isNew } = await recordDecision(store, decision);
    // Another one of the same millisecond is not this one.
    if (isNew) return key;
  }
}

/** Makes a bundle the active one; false where something else changed it since it was read. */
export function activate(
  store: S3Store,
  { active, etag }: ActiveState,
  bundle: BundleIdentity,
  decision: string,
): Promise<boolean> {
  const before = active ? [activationOf(active), ...active.before] : [];
  return replaceActive(store, etag, bundle, decision, before.slice(0, KEPT_ACTIVATIONS));
}

/** Goes back to the activation before; false where something else changed it since it was read. */
export function goBack(
  store: S3Store,
  { active, etag }: ActiveState,
  decision: string,
): Promise<boolean> {
  const [previous, ...before] = active?.before ?? [];
  if (!previous) throw new Error('there is nothing to go back to');
  return replaceActive(store, etag, previous, decision, before);
}

async function replaceActive(
  store: S3Store,
  etag: string | undefined,
  { prefix, digest }: BundleIdentity,
  decision: string,
  before: readonly Activation[],
): Promise<boolean> {
  const next: ActiveBundle = {
    schemaVersion: 1,
    prefix,
    digest,
    activatedAt: new Date().toISOString(),
    decision,
    before: [...before],
  };
  return (await store.putIf(cloudKeys.activeBundle, toJsonBytes(next), etag)) !== undefined;
}

const activationOf = ({ prefix, digest, activatedAt, decision }: ActiveBundle): Activation => ({
  prefix,
  digest,
  activatedAt,
  decision,
});
