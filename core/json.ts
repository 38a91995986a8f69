import type * as z from 'zod';
import { StorageError } from './errors.ts';
import type { BlobStore } from './ports.ts';

/** JSON as every file of a run and every record of a site has it: people can read it. */
export const toJsonBytes = (value: unknown): Uint8Array =>
  Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** Throws where the bytes are no JSON, or not of the schema. */
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

export const putJson = (
  store: Pick<BlobStore, 'put'>,
  key: string,
  value: unknown,
): Promise<void> => store.put(key, toJsonBytes(value), 'application/json');

/** Undefined where there is none, or none of this schema: what it stands for is made again. */
export async function usableJson<Schema extends z.ZodType>(
  store: Pick<BlobStore, 'get'>,
  key: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  try {
    return fromJsonBytes(schema, await store.get(key));
  } catch (error) {
    // A store that does not answer is no answer: only what is not there, or damaged, is made again.
    if (error instanceof StorageError && error.code !== 'blob-missing') throw error;
    return undefined;
  }
}
