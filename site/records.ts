import type * as z from 'zod';
import type { S3Store } from '../adapters/s3-store.ts';
import { fromJsonBytes, toJsonBytes } from '../core/json.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudKeys } from './contract/keys.ts';
import type { EmitMetrics } from './metrics.ts';

/** Small JSON objects that say where a site's work stands. All writes that could race are conditional. */

/** Undefined where there is none. */
export async function findJson<Schema extends z.ZodType>(
  store: S3Store,
  key: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const found = await store.getTagged(key);
  return found && fromJsonBytes(schema, found.body);
}

/** How often two writers may get in each other's way before that is a failure. */
const REPLACE_ATTEMPTS = 20;

/**
 * Reads, changes and writes an object until no other writer was between. `change` sees it as it is
 * now (undefined where there is none) and may be asked again after another writer was first;
 * undefined from it leaves the object alone.
 *
 * @returns the object as written with its new ETag, or undefined where `change` wanted nothing
 */
export async function replaceTagged<Schema extends z.ZodType>(
  store: S3Store,
  key: string,
  schema: Schema,
  change: (current: z.output<Schema> | undefined) => z.output<Schema> | undefined,
): Promise<{ readonly record: z.output<Schema>; readonly etag: string } | undefined> {
  for (let attempt = 0; attempt < REPLACE_ATTEMPTS; attempt++) {
    const found = await store.getTagged(key);
    const next = change(found && fromJsonBytes(schema, found.body));
    if (next === undefined) return undefined;
    const etag = await store.putIf(key, toJsonBytes(schema.parse(next)), found?.etag);
    if (etag !== undefined) return { record: next, etag };
  }
  throw new Error(`an object changed ${REPLACE_ATTEMPTS} times while it was being written`);
}

/** `replaceTagged` for whoever does not go on from the ETag. */
export const replaceJson = async <Schema extends z.ZodType>(
  store: S3Store,
  key: string,
  schema: Schema,
  change: (current: z.output<Schema> | undefined) => z.output<Schema> | undefined,
): Promise<z.output<Schema> | undefined> =>
  (await replaceTagged(store, key, schema, change))?.record;

/** Moves a pointer forward, never back: an older upload's run that ends later changes nothing. */
export async function movePointer<Schema extends z.ZodType<{ uploadedAt: string }>>(
  store: S3Store,
  key: string,
  schema: Schema,
  pointer: z.output<Schema>,
): Promise<boolean> {
  const moved = await replaceJson(store, key, schema, (found) =>
    found && found.uploadedAt > pointer.uploadedAt ? undefined : pointer,
  );
  return moved !== undefined;
}

export interface OncePorts {
  readonly store: S3Store;
  readonly emit: EmitMetrics;
}

/**
 * S3 announces an upload at least once. The first announcement that is dealt with leaves a mark; the
 * others cost one HEAD request. A crash before the mark costs another attempt, which every action
 * withstands by itself.
 */
export async function once<Outcome>(
  { detail: { object } }: ObjectCreated,
  { store, emit }: OncePorts,
  action: () => Promise<Outcome>,
): Promise<Outcome | 'duplicate'> {
  const mark = cloudKeys.handled(object.key, object['version-id']);
  if (await store.stat(mark)) {
    emit({ DuplicateEvents: 1 });
    return 'duplicate';
  }
  const outcome = await action();
  await store.put(mark, new Uint8Array(0));
  return outcome;
}
