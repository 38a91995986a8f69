import { createHash } from 'node:crypto';
import type { S3Store } from '../adapters/s3-store.ts';
import { BundleManifest } from '../core/contract/bundle.ts';
import { PromotionDecision, type PromotionReason } from '../core/contract/promotion.ts';
import { BundleError } from '../core/errors.ts';
import { fromJsonBytes, toJsonBytes } from '../core/json.ts';
import { BUNDLE_MANIFEST } from '../core/stage/open-bundle.ts';
import { cloudKeys } from './contract/keys.ts';
import { type Activation, ActiveBundle } from './contract/runs.ts';
import { findJson } from './records.ts';

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

/** A bundle as the functions need it: its manifest, without the graphs. */
export interface RegisteredBundle {
  readonly prefix: string;
  readonly digest: string;
  readonly manifest: BundleManifest;
}

/** How long a warm function goes on with the bundle that it knows after another was promoted. */
const KEPT_MS = 60_000;

/** Reads the site's bundle: the pinned one, or the one that `models/active.json` names. */
export function bundleReader(
  store: S3Store,
  setting: string,
  now: () => number = Date.now,
): () => Promise<RegisteredBundle> {
  let kept: { bundle: RegisteredBundle; untilMs: number } | undefined;
  return async () => {
    if (kept && kept.untilMs > now()) return kept.bundle;
    const bundle =
      setting === 'active' ? await readActiveBundle(store) : await readBundle(store, setting);
    kept = { bundle, untilMs: now() + KEPT_MS };
    return bundle;
  };
}

/** The very bundle that was activated: whoever can write below `models/` decides nothing. */
async function readActiveBundle(store: S3Store): Promise<RegisteredBundle> {
  const active = await findJson(store, cloudKeys.activeBundle, ActiveBundle);
  if (!active) throw noBundle(cloudKeys.activeBundle);
  const bundle = await readBundle(store, active.prefix);
  if (bundle.digest !== active.digest) throw changedBundle(active.prefix, active.digest, bundle);
  return bundle;
}

/** @throws BundleError where there is none, or its manifest is not the one that its prefix names */
export async function readBundle(store: S3Store, prefix: string): Promise<RegisteredBundle> {
  const found = await store.getTagged(`${prefix}/${BUNDLE_MANIFEST}`);
  if (!found) throw noBundle(`${prefix}/${BUNDLE_MANIFEST}`);
  const digest = createHash('sha256').update(found.body).digest('hex');
  const bundle = { prefix, digest, manifest: fromJsonBytes(BundleManifest, found.body) };
  const named = prefix.slice(prefix.lastIndexOf('/') + 1);
  if (!digest.startsWith(named)) throw changedBundle(prefix, `${named}...`, bundle);
  return bundle;
}

const changedBundle = (
  prefix: string,
  expected: string,
  { digest }: RegisteredBundle,
): BundleError =>
  new BundleError({
    code: 'bundle-changed',
    subject: prefix,
    expected: `the digest ${expected}, under which it was registered`,
    found: digest,
    remedy: 'Somebody has overwritten it: go back with "sammix site rollback", and find out who.',
  });

const noBundle = (key: string): BundleError =>
  new BundleError({
    code: 'no-bundle-at-site',
    subject: key,
    expected: 'a registered model bundle',
    found: 'none',
    remedy: 'Run "sammix site register <site> --activate", then upload the image again.',
  });
