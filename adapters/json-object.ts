import type { z } from 'zod';

/** Small JSON objects in a store, as people can read them. */
export const toJsonBytes = (value: unknown): Uint8Array =>
  Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

export const fromJsonBytes = <Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
): z.output<Schema> =>
  schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))) as z.output<Schema>;
