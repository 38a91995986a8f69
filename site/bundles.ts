import { createHash } from 'node:crypto';
import type { S3Store } from '../adapters/s3-store.ts';
import { BundleManifest } from '../core/contract/bundle.ts';
import { PromotionDecision, type PromotionReason } from '../core/contract/promotion.ts';
import { isSameName } from '../core/dataset/class-names.ts';
import { BundleError, StorageError } from '../core/errors.ts';
import { fromJsonBytes, getJson, toJsonBytes } from '../core/json.ts';
import { BUNDLE_MANIFEST } from '../core/stage/open-bundle.ts';
import { cloudKeys, PREFIX } from './contract/keys.ts';
import { type Activation, ActiveBundle } from './contract/runs.ts';

/**
 * Which bundle a site uses: `models/active.json`, `models/active/<target>.json` for each further target, and a
 * decision for every time that one of them changed.
 */

export interface ActiveState {
  /** Of a further target; undefined for the main one. */
  readonly target: string | undefined;
  readonly active: ActiveBundle | undefined;
  /** Of the object as read, so that a change replaces exactly that. */
  readonly etag: string | undefined;
}

export type BundleIdentity = Pick<Activation, 'prefix' | 'digest'>;

/** Activations that a rollback can go back through. */
const KEPT_ACTIVATIONS = 50;

/** @param target a further one; the main one where it is left out */
export async function readActive(store: S3Store, target?: string): Promise<ActiveState> {
  const found = await store.getTagged(cloudKeys.activeBundleOf(target));
  return { target, active: found && fromJsonBytes(ActiveBundle, found.body), etag: found?.etag };
}

/**
 * What is active where a bundle of this organ could be: for the main target, where that is its organ or
 * nothing is active yet, else for a further target of its name.
 *
 * Of a main bundle that is damaged nobody can say the organ. Its own successors mend it, so it counts as
 * theirs, unless the organ is known to be a further target's.
 */
export async function activeFor(store: S3Store, organ: string): Promise<ActiveState> {
  const main = await readActive(store);
  if (!main.active) return main;
  const known = await readBundle(store, main.active.prefix).catch(undefinedWhereDamaged);
  if (known && isSameName(known.manifest.target.name, organ)) return main;
  const further = await readActive(store, organ);
  return known || further.active ? further : main;
}

/** A store that does not answer says nothing of a bundle. */
export function undefinedWhereDamaged(error: unknown): undefined {
  if (error instanceof StorageError) throw error;
  return undefined;
}

/** Prefixes of all bundles that are active, the main target's first. */
export async function activePrefixes(store: S3Store): Promise<string[]> {
  const { active } = await readActive(store);
  const found = active ? [active.prefix] : [];
  for await (const { key } of store.list(PREFIX.furtherActive))
    found.push((await getJson(store, key, ActiveBundle)).prefix);
  return found;
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
  state: ActiveState,
  bundle: BundleIdentity,
  decision: string,
): Promise<boolean> {
  const { active } = state;
  const before = active ? [activationOf(active), ...active.before] : [];
  return replaceActive(store, state, bundle, decision, before.slice(0, KEPT_ACTIVATIONS));
}

/** Goes back to the activation before; false where something else changed it since it was read. */
export function goBack(store: S3Store, state: ActiveState, decision: string): Promise<boolean> {
  const [previous, ...before] = state.active?.before ?? [];
  if (!previous) throw new Error('there is nothing to go back to');
  return replaceActive(store, state, previous, decision, before);
}

async function replaceActive(
  store: S3Store,
  { target, etag }: Pick<ActiveState, 'target' | 'etag'>,
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
  const key = cloudKeys.activeBundleOf(target);
  return (await store.putIf(key, toJsonBytes(next), etag)) !== undefined;
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

/**
 * Reads a bundle of the site: the pinned one, or the one that is active for the main target or a further
 * one.
 */
export function bundleReader(
  store: S3Store,
  setting: string,
  { target, now = Date.now }: { readonly target?: string; readonly now?: () => number } = {},
): () => Promise<RegisteredBundle> {
  let kept: { bundle: RegisteredBundle; untilMs: number } | undefined;
  return async () => {
    if (kept && kept.untilMs > now()) return kept.bundle;
    const bundle =
      setting === 'active'
        ? await readActiveBundle(store, target)
        : await readBundle(store, setting);
    if (target !== undefined && !isSameName(bundle.manifest.target.name, target))
      throw ofAnotherTarget(target, bundle);
    kept = { bundle, untilMs: now() + KEPT_MS };
    return bundle;
  };
}

/** The very bundle that was activated: whoever can write below `models/` decides nothing. */
async function readActiveBundle(
  store: S3Store,
  target: string | undefined,
): Promise<RegisteredBundle> {
  const { active } = await readActive(store, target);
  if (!active) throw noBundle(cloudKeys.activeBundleOf(target));
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

const ofAnotherTarget = (target: string, { prefix, manifest }: RegisteredBundle): BundleError =>
  new BundleError({
    code: 'bundle-of-another-target',
    subject: prefix,
    expected: `a bundle for the ${target}, as "targets" of the site file says`,
    found: `one for the ${manifest.target.name}`,
    remedy: 'Correct the site file and deploy it, then upload the image again.',
  });

const noBundle = (key: string): BundleError =>
  new BundleError({
    code: 'no-bundle-at-site',
    subject: key,
    expected: 'a registered model bundle',
    found: 'none',
    remedy: 'Run "sammix site register <site> --activate", then upload the image again.',
  });
