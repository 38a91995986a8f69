import type { z } from 'zod';
import type { BlobStore } from '../core/ports.ts';
import type { S3Store } from './s3-store.ts';

/** Small JSON objects in a store, as people can read them. */
export const toJsonBytes = (value: unknown): Uint8Array =>
  Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

export const fromJsonBytes = <Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
): z.output<Schema> =>
  schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))) as z.output<Schema>;

/** An object that is known to be there. */
export const getJson = async <Schema extends z.ZodType>(
  store: Pick<BlobStore, 'get'>,
  key: string,
  schema: Schema,
): Promise<z.output<Schema>> => fromJsonBytes(schema, await store.get(key));

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
 * @returns the object as written, or undefined where `change` wanted nothing
 */
export async function replaceJson<Schema extends z.ZodType>(
  store: S3Store,
  key: string,
  schema: Schema,
  change: (current: z.output<Schema> | undefined) => z.output<Schema> | undefined,
  attempts = REPLACE_ATTEMPTS,
): Promise<z.output<Schema> | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const found = await store.getTagged(key);
    const next = change(found && fromJsonBytes(schema, found.body));
    if (next === undefined) return undefined;
    if ((await store.putIf(key, toJsonBytes(next), found?.etag)) !== undefined) return next;
  }
  throw new Error(`an object changed ${attempts} times while it was being written`);
}
