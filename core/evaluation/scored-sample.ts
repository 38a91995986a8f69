import { createHash } from 'node:crypto';

/**
 * Cases whose slices an evaluation keeps. The area under the ROC curve goes over every slice at each of
 * its two thousand draws, and slices are nine tenths of a row: beyond so many cases a sample of them says
 * as much, and says it in seconds.
 */
const SCORED_CASES = 5000;

/** Whether an evaluation of so many cases keeps a sample's slices only. */
export const isSampled = (cases: number): boolean => cases > SCORED_CASES;

/**
 * Whether a case, of so many, keeps its slices' scores. Drawn by the case's name, so that two evaluations
 * of one dataset keep those of the same cases.
 */
export function keepsScores(caseId: string, cases: number): boolean {
  if (!isSampled(cases)) return true;
  const drawn = createHash('sha256').update(caseId).digest().readUInt32BE(0) / 2 ** 32;
  return drawn < SCORED_CASES / cases;
}
