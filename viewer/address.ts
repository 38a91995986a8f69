import { type ViewCase, ViewIndex } from '../core/contract/view.ts';
import { answerOf } from './volume.ts';

/**
 * What the page's address asks for, all of it in the fragment, which browsers send to no server:
 * `index` (a deflated ViewIndex, base64url; without it the page fetches `cases.json`), `case`, `slice`, and
 * `other`, which of the masks to compare with.
 */
export interface Address {
  readonly index: string | null;
  readonly caseId: string | null;
  readonly slice: number | null;
  /** Counted from 0; the first where nothing is said. */
  readonly other: number;
}

export function readAddress(hash: string): Address {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (name: string): number | null => {
    const text = fields.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  return {
    index: fields.get('index'),
    caseId: fields.get('case'),
    slice: number('slice'),
    other: number('other') ?? 0,
  };
}

export function writeAddress({ index, caseId, slice, other }: Address): string {
  const fields = new URLSearchParams();
  if (caseId !== null) fields.set('case', caseId);
  if (slice !== null) fields.set('slice', String(slice));
  if (other > 0) fields.set('other', String(other));
  // Last: it is long, and what a reader may want to read comes before it.
  if (index !== null) fields.set('index', index);
  return `#${fields}`;
}

export async function loadIndex({ index }: Address): Promise<ViewIndex> {
  const json = index === null ? await fetchedIndex() : await inflate(index);
  const parsed = ViewIndex.safeParse(JSON.parse(json));
  if (parsed.success) return parsed.data;
  throw new Error('The list of cases was made by another version of sammix: make it again.');
}

const fetchedIndex = async (): Promise<string> =>
  (await answerOf('cases.json', 'The list of cases')).text();

async function inflate(base64url: string): Promise<string> {
  try {
    const binary = atob(base64url.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    return await new Response(stream).text();
  } catch (cause) {
    throw new Error('The address is incomplete: copy it again, the whole of it.', { cause });
  }
}

/** The case that the address names, or the first that has a mask. */
export function chosenCase(index: ViewIndex, { caseId }: Address): ViewCase {
  const named = index.cases.find((one) => one.caseId === caseId);
  return named ?? index.cases.find((one) => one.mask !== null) ?? index.cases[0]!;
}
