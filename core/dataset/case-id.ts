import { createHash } from 'node:crypto';
import { SEGMENT } from '../contract/keys.ts';
import { groupBy } from '../group-by.ts';

/**
 * Names of cases. An id is a folder's name and a key's segment, so it is made of a file's name by
 * leaving out what cannot stand there. Where that loses anything, a hash of what was there is added:
 * two names that differ never become one id, and the same file has the same id everywhere.
 */

/** What is no part of a case's name: the format, and the nnU-Net channel of the CT. */
const IMAGE_SUFFIX = /\.(nii|nii\.gz|hdr|img|hdr\.gz|img\.gz)$/i;
const CT_CHANNEL = /_0000$/;

/** Datasets with a folder per case name the image the same everywhere (TotalSegmentator: `ct`). */
const GENERIC_STEM = /^(ct|image|imaging|img|volume|scan)$/i;

const MAX_LENGTH = 128;
const HASH_DIGITS = 8;

const shortHash = (text: string): string =>
  createHash('sha256').update(text.normalize('NFC')).digest('hex').slice(0, HASH_DIGITS);

export const stemOf = (fileName: string): string =>
  fileName.replace(IMAGE_SUFFIX, '').replace(CT_CHANNEL, '');

/**
 * The id of a file's or folder's name: the name itself where it is made of letters, digits, `.`, `_`,
 * `+` and `-`; else what is left of it and a hash of the whole (`a b` -> `a-b-1f3c0d5e`).
 */
export function caseIdOf(name: string): string {
  const stem = stemOf(name);
  const plain = SEGMENT.test(stem) && !stem.includes('..') && !RESERVED.test(stem);
  return plain ? stem : hashed(stem, stem);
}

/** Files that stand beside the cases' folders. */
const RESERVED = /^(summary|evaluation|history)\.(csv|json|html)$/i;

/**
 * The id of an upload, which comes alone: by the name itself where it lies in no folder, else by the
 * folders and the name with a hash of both. What differs by more than the ending has another id.
 *
 * @param parts of its path below `images/` or `labels/`, the file's name last
 */
export function uploadCaseId(parts: readonly string[]): string {
  if (parts.length === 1) return caseIdOf(parts[0]!);
  return hashed(tailOf(parts, 1).map(stemOf).join('-'), parts.map(stemOf).join('/'));
}

/** A readable id that `text` alone can have. */
export function hashed(readable: string, text: string): string {
  const clean = readable
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9._+-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_LENGTH - HASH_DIGITS - 1);
  return `${clean === '' ? 'case' : clean.replace(/-+$/, '')}-${shortHash(text)}`;
}

/**
 * The id of one file by itself: of its name, or of its folder's where all images have that name.
 *
 * @param parts of its path, the file's name last
 */
function idByItself(parts: readonly string[]): string {
  const [folder, name] = [parts.at(-2), parts.at(-1)!];
  return caseIdOf(folder !== undefined && isGeneric(name) ? folder : name);
}

const isGeneric = (fileName: string): boolean => GENERIC_STEM.test(stemOf(fileName));

/** The path's end from which an id is made: `depth` folders and the name, without a generic name. */
function tailOf(parts: readonly string[], depth: number): string[] {
  const named = isGeneric(parts.at(-1)!) && parts.length > 1 ? parts.slice(0, -1) : parts;
  return named.slice(-1 - depth);
}

/**
 * Ids of files that are in use together, in their order. A file whose id no other has keeps it. Where
 * several have one id, in whatever case of letters, all of them get the folders that tell them apart
 * before their name; where folders do not (`A.nii` beside `a.nii`, `a.nii` beside `a.nii.gz`), a hash.
 *
 * @param files paths as their parts, all different
 */
export function distinctCaseIds(files: readonly (readonly string[])[]): string[] {
  const ids = files.map(idByItself);
  for (const group of clashes(ids)) {
    const renamed = withFolders(group.map((at) => files[at]!));
    group.forEach((at, n) => {
      ids[at] = renamed[n]!;
    });
  }
  // A name made of folders may be another file's own: whoever has the longer path yields.
  for (const group of clashes(ids))
    for (const at of group) {
      const tail = distinctTail(
        files[at]!,
        group.map((other) => files[other]!),
      );
      ids[at] = hashed(ids[at]!, tail);
    }
  return ids;
}

function withFolders(group: readonly (readonly string[])[]): string[] {
  const longest = Math.max(...group.map((parts) => parts.length));
  for (let depth = 1; depth < longest; depth++) {
    const ids = group.map((parts) => caseIdOf(tailOf(parts, depth).map(stemOf).join('-')));
    if (clashes(ids).length === 0) return ids;
    // Folders that do not differ by here help no more: the names do.
    if (group.every((parts) => tailOf(parts, depth).length < depth + 1)) break;
  }
  return group.map((parts) => hashed(stemOf(tailOf(parts, 0)[0]!), distinctTail(parts, group)));
}

/** The shortest end of a path that no other of the group has: the same on every machine. */
function distinctTail(parts: readonly string[], group: readonly (readonly string[])[]): string {
  for (let length = 1; length < parts.length; length++) {
    const tail = parts.slice(-length).join('/');
    if (group.filter((other) => other.slice(-length).join('/') === tail).length === 1) return tail;
  }
  return parts.join('/');
}

/** Positions that share an id, ids taken as a file system that ignores case takes them. */
function clashes(ids: readonly string[]): number[][] {
  const groups = groupBy([...ids.keys()], (at) => ids[at]!.toLowerCase());
  return [...groups.values()].filter((group) => group.length > 1);
}
