import type * as z from 'zod';
import { fromJsonBytes, toJsonBytes } from '../core/json.ts';
import type { S3Store } from './s3-store.ts';

/** JSON objects in a site's bucket that more than one may write. */

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
