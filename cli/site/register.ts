import type { Command } from 'commander';
import { DirStore } from '../../adapters/dir-store.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { PromotionReason } from '../../core/contract/promotion.ts';
import { ConfigError } from '../../core/errors.ts';
import { BUNDLE_MANIFEST, openBundle } from '../../core/stage/open-bundle.ts';
import {
  type ActiveState,
  activate,
  activeFor,
  type BundleIdentity,
  recordPersonalDecision,
} from '../../site/bundles.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { offerCandidate } from '../../site/training/records.ts';
import { DEFAULT_BUNDLE, ok, report } from '../command.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';
import { recordCanary } from './record-canary.ts';

/** `sammix site register` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .argument('[bundle]', 'folder of the bundle', DEFAULT_BUNDLE)
    .option('--activate', "use it for new uploads from now on, as its target's first bundle", false)
    .option('--force <reason>', 'activate it past the gate, and record why')
    .action(async (name: string, bundle: string, options: SiteOptions & RegisterOptions) => {
      await report(command, async () => {
        const site = await openSite(name, options);
        // Before it can become active, so that the first canary already has its reference.
        await recordCanary(site, bundle);
        const done = await registerBundle(site, bundle, options);
        return ok(done, `${done.prefix}${done.active ? ` (active for the ${done.target})` : ''}`);
      });
    });
}

export interface RegisterOptions {
  readonly activate: boolean;
  /** Why the bundle is activated past the gate; recorded with the activation. */
  readonly force?: string;
}

export interface RegisteredBundle {
  readonly name: string;
  readonly digest: string;
  readonly prefix: string;
  /** What it segments. Of another organ than the main bundle's it is one for a further target. */
  readonly target: string;
  readonly active: boolean;
}

/**
 * Verifies a bundle and uploads it under its digest, the manifest last: a bundle with a manifest is
 * complete. Registering it again changes nothing. Unless it is activated at once, it becomes a
 * candidate for promotion. The first bundle of a target is activated by registering; any other has to pass
 * the gate, or a person's reason is written down in its place.
 *
 * @throws ConfigError (`gate-required`) where another bundle is active and no reason is given
 */
export async function registerBundle(
  store: S3Store,
  folder: string,
  options: RegisterOptions,
): Promise<RegisteredBundle> {
  const local = new DirStore(folder);
  const { manifest, digest } = await openBundle(local, folder);
  const prefix = cloudKeys.bundle(manifest.name, digest);
  if (!(await store.stat(`${prefix}/${BUNDLE_MANIFEST}`)))
    for (const file of [...manifest.files.map(({ path }) => path), BUNDLE_MANIFEST])
      await store.put(`${prefix}/${file}`, local.read(file));
  const target = manifest.target.name;
  const state = await activeFor(store, target);
  const active = options.activate || options.force !== undefined;
  if (state.active?.digest !== digest) {
    const reason = active ? reasonOf(state, options.force) : undefined;
    if (reason) await activateBundle(store, state, { prefix, digest }, reason);
    else await offerCandidate(store, { prefix, digest, manifest }, null);
    if (active && !reason) throw gateRequired(prefix, state);
  }
  return { name: manifest.name, digest, prefix, target, active };
}

/** Undefined where the gate has to decide. */
function reasonOf({ active }: ActiveState, force: string | undefined): PromotionReason | undefined {
  if (force !== undefined) return { code: 'forced', message: force };
  if (active) return undefined;
  return { code: 'no-incumbent', message: 'The site had no active bundle.' };
}

async function activateBundle(
  store: S3Store,
  state: ActiveState,
  bundle: BundleIdentity,
  reason: PromotionReason,
): Promise<void> {
  const key = await recordPersonalDecision(store, bundle, state.active, reason);
  if (!(await activate(store, state, bundle, key))) throw changedMeanwhile(bundle);
}

const gateRequired = (prefix: string, { active }: ActiveState): ConfigError =>
  new ConfigError({
    code: 'gate-required',
    subject: prefix,
    expected: 'a candidate that has passed the gate, because another bundle is active',
    found: `a candidate, now registered beside the active ${active?.prefix}`,
    remedy: `Run "sammix site promote <site> ${prefix}", or give a reason with --force.`,
  });

export const changedMeanwhile = ({ prefix }: BundleIdentity): ConfigError =>
  new ConfigError({
    code: 'active-bundle-changed',
    subject: prefix,
    expected: 'the active bundle as it was a moment ago',
    found: 'another one, that something else has activated meanwhile',
    remedy: 'See models/active.json, then run the command again.',
  });
