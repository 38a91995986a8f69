import type * as z from 'zod';
import { StorageError } from './errors.ts';
import type { BlobStore } from './ports.ts';

/**
 * JSON of what is written down or printed. A number that JSON does not have would become null, which no
 * schema takes where a number is meant: whoever reads it later could not say why. So it is not written.
 *
 * @param indent 2 for people, 0 where there are many lines of it
 * @throws RangeError naming the field that is NaN or infinite (`toExtended` in contract/panel.ts writes
 *   the infinite ones that are meant)
 */
export const toJson = (value: unknown, indent: 0 | 2 = 2): string =>
  JSON.stringify(
    value,
    (field, item: unknown) => {
      if (typeof item !== 'number' || Number.isFinite(item)) return item;
      throw new RangeError(`"${field}" is ${item}, which JSON cannot hold`);
    },
    indent,
  );

/** JSON as every file of a run and every record of a site has it. */
export const toJsonBytes = (value: unknown, indent?: 0 | 2): Uint8Array =>
  Buffer.from(`${toJson(value, indent)}\n`);

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

export const putJson = async (
  store: Pick<BlobStore, 'put'>,
  key: string,
  value: unknown,
  indent?: 0 | 2,
): Promise<void> => store.put(key, toJsonBytes(value, indent), 'application/json');

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
