import * as z from 'zod';
import type { Fault } from '../errors.ts';

/** A fault as reports and records hold it. */
export const FaultSchema = z.strictObject({
  code: z.string(),
  subject: z.string(),
  expected: z.string(),
  found: z.string(),
  remedy: z.string(),
}) satisfies z.ZodType<Fault>;
