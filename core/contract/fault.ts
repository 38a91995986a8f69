import * as z from 'zod';

/** What is wrong, in which file or setting, and what to do about it (core/errors.ts). */
export const FaultSchema = z.strictObject({
  /** Stable machine-readable reason, kebab-case, e.g. `truncated-gzip`. */
  code: z.string(),
  /** The file, case, bundle or setting that is at fault. */
  subject: z.string(),
  expected: z.string(),
  found: z.string(),
  /** What the reader can do about it. */
  remedy: z.string(),
});
export type Fault = Readonly<z.infer<typeof FaultSchema>>;
