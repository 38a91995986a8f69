import { existsSync } from 'node:fs';
import path from 'node:path';

/** Real files that are not part of the project; tests that need them say so where they are not there. */
const SHARED = {
  data: process.env.SAMMIX_DATA ?? '../shared/data',
  cases: process.env.SAMMIX_CASES ?? '../shared/cases',
} as const;

/** @returns undefined where there is none, which is said */
export function sharedFolder(kind: keyof typeof SHARED, what: string): string | undefined {
  const folder = path.resolve(SHARED[kind]);
  if (existsSync(folder)) return folder;
  console.warn(`SKIPPED: ${what}; nothing at ${folder} (SAMMIX_${kind.toUpperCase()})`);
  return undefined;
}
