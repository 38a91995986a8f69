import { createHash } from 'node:crypto';
import { BundleManifest } from '../core/contract/bundle.ts';
import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { ActiveBundle } from '../core/contract/messages.ts';
import { BundleError } from '../core/errors.ts';
import { BUNDLE_MANIFEST } from '../core/stage/open-bundle.ts';
import { findJson, fromJsonBytes } from './json-object.ts';
import type { S3Store } from './s3-store.ts';

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
    const prefix = setting === 'active' ? await activePrefix(store) : setting;
    const bundle = await readBundle(store, prefix);
    kept = { bundle, untilMs: now() + KEPT_MS };
    return bundle;
  };
}

async function activePrefix(store: S3Store): Promise<string> {
  const active = await findJson(store, cloudKeys.activeBundle, ActiveBundle);
  if (!active) throw noBundle(cloudKeys.activeBundle);
  return active.prefix;
}

export async function readBundle(store: S3Store, prefix: string): Promise<RegisteredBundle> {
  const found = await store.getTagged(`${prefix}/${BUNDLE_MANIFEST}`);
  if (!found) throw noBundle(`${prefix}/${BUNDLE_MANIFEST}`);
  return {
    prefix,
    digest: createHash('sha256').update(found.body).digest('hex'),
    manifest: fromJsonBytes(BundleManifest, found.body),
  };
}

const noBundle = (key: string): BundleError =>
  new BundleError({
    code: 'no-bundle-at-site',
    subject: key,
    expected: 'a registered model bundle',
    found: 'none',
    remedy: 'Run "sammix site register <site> --activate", then upload the image again.',
  });
