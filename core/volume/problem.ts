import type { Problem } from '../contract/manifest.ts';
import type { Fault } from '../errors.ts';

/** What is worth telling about an input: errors refuse it, warnings do not. */

export const warning = (code: string, message: string, remedy: string): Problem => ({
  code,
  severity: 'warning',
  message,
  remedy,
});

export const error = (code: string, message: string, remedy: string): Problem => ({
  code,
  severity: 'error',
  message,
  remedy,
});

/** A fault of an input as one entry of the preflight's list. */
export const problemOfFault = (fault: Fault): Problem =>
  error(fault.code, `expected ${fault.expected}, found ${fault.found}`, fault.remedy);
