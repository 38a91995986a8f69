import type { S3Store } from '../adapters/s3-store.ts';
import { LIVER } from '../core/contract/bundle.ts';
import { isSameName } from '../core/dataset/class-names.ts';
import { BundleError } from '../core/errors.ts';
import { bundleReader, type RegisteredBundle, undefinedWhereDamaged } from './bundles.ts';
import { CANARY_DATASET } from './contract/canary.ts';

/**
 * What a site makes of an upload: a run for its main target, and one for each further target of the site
 * file. The runs know nothing of each other: what claims, retries, gives up and reports one of them is
 * written once, and the failure of one is its own.
 */
export interface SiteTarget {
  /** Undefined for the main one, whose name its bundle says. */
  readonly target: string | undefined;
  readonly bundle: () => Promise<RegisteredBundle>;
}

/**
 * The targets of a site, the main one first.
 *
 * @param setting of the main one's bundle
 * @param further bundles by target, as the site file has them
 */
export function siteTargets(
  store: S3Store,
  setting: string,
  further: Readonly<Record<string, string>>,
): SiteTarget[] {
  const main = bundleReader(store, setting);
  return [
    { target: undefined, bundle: main },
    ...Object.entries(further).map(([target, own]): SiteTarget => {
      const read = bundleReader(store, own, { target });
      const bundle = async (): Promise<RegisteredBundle> => {
        const first = await main().catch(undefinedWhereDamaged);
        if (first && isSameName(first.manifest.target.name, target)) throw sameAsMain(target);
        return read();
      };
      return { target, bundle };
    }),
  ];
}

/** What is wanted of an upload. */
export interface WantedTargets {
  readonly targets: readonly SiteTarget[];
  /** Of all of them; undefined where the main one is the only one. */
  readonly names: string[] | undefined;
}

/** The canary's scans are the main target's. */
export async function wantedOf(
  dataset: string,
  targets: readonly SiteTarget[],
): Promise<WantedTargets> {
  const [main, ...further] = targets;
  if (!main || further.length === 0 || dataset === CANARY_DATASET)
    return { targets: targets.slice(0, 1), names: undefined };
  const bundle = await main.bundle().catch(undefinedWhereDamaged);
  const first = bundle?.manifest.target.name ?? LIVER;
  return { targets, names: [first, ...further.map(({ target }) => target!)] };
}

const sameAsMain = (target: string): BundleError =>
  new BundleError({
    code: 'same-target',
    subject: `targets.${target} of the site file`,
    expected: 'another target than that of the main bundle',
    found: 'the same',
    remedy: 'Leave it out of "targets", and deploy the site.',
  });
