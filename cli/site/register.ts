import { DirStore } from '../../adapters/dir-store.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { cloudKeys } from '../../core/contract/cloud-keys.ts';
import type { ActiveBundle } from '../../core/contract/messages.ts';
import { BUNDLE_MANIFEST, openBundle } from '../../core/stage/open-bundle.ts';

export interface RegisteredBundle {
  readonly name: string;
  readonly digest: string;
  readonly prefix: string;
  readonly active: boolean;
}

/**
 * Verifies a bundle and uploads it under its digest, the manifest last: a bundle with a manifest is
 * complete. Registering it again changes nothing.
 */
export async function registerBundle(
  store: S3Store,
  folder: string,
  { activate }: { readonly activate: boolean },
): Promise<RegisteredBundle> {
  const local = new DirStore(folder);
  const { manifest, digest } = await openBundle(local, folder);
  const prefix = cloudKeys.bundle(manifest.name, digest);
  if (!(await store.stat(`${prefix}/${BUNDLE_MANIFEST}`)))
    for (const file of [...manifest.files.map(({ path }) => path), BUNDLE_MANIFEST])
      await store.put(`${prefix}/${file}`, local.read(file));
  if (activate) await activateBundle(store, prefix, digest);
  return { name: manifest.name, digest, prefix, active: activate };
}

async function activateBundle(store: S3Store, prefix: string, digest: string): Promise<void> {
  const active: ActiveBundle = {
    schemaVersion: 1,
    prefix,
    digest,
    activatedAt: new Date().toISOString(),
  };
  const body = Buffer.from(`${JSON.stringify(active, null, 2)}\n`);
  await store.put(cloudKeys.activeBundle, body, 'application/json');
}
