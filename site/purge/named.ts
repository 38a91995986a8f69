import { caseIdOf, stemOf } from '../../core/dataset/case-id.ts';

/** Finds a case's name in text: as it is, or as the name of a file of it. */
export type NamesCase = (text: string) => boolean;

/** What may stand in a name, so that `a1` is not found in `a10` or `a1.2`. */
const NAME = 'A-Za-z0-9._+-';

/**
 * @param fileNames of the case's uploads: a file's name may hold what an id cannot
 */
export function namesOf(caseId: string, fileNames: Iterable<string>): NamesCase {
  // A name that is not the case's own (`ct` in a folder) would find other cases.
  const own = [...fileNames].map(stemOf).filter((stem) => caseIdOf(stem) === caseId);
  const names = [...new Set([caseId, ...own])];
  const pattern = new RegExp(
    `(?<![${NAME}])(?:${names.map(escaped).join('|')})(?:_0000)?(?:\\.(?:nii|hdr|img)(?:\\.gz)?)?(?![${NAME}])`,
  );
  return (text) => names.some((name) => text.includes(name)) && pattern.test(text);
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
