import type { ViewedReport } from '../core/contract/view.ts';
import { byId, element } from './dom.ts';

type Segmented = Extract<ViewedReport, { status: 'segmented' }>;
export type Flags = Segmented['flags'];

/** Flags as cards; each run of slices is a button that goes to its first, where slices are shown. */
export function showFlags(
  { flags, madeElsewhere }: Pick<Segmented, 'flags' | 'madeElsewhere'>,
  goTo: ((slice: number) => void) | null,
): void {
  const cards = flags.map((flag) => {
    const buttons = runs(flag.slices).map(([first, last]) =>
      element(
        'button',
        {
          type: 'button',
          disabled: goTo === null,
          'aria-label': `${rangeText(first, last)}, ${flag.code}`,
          click: () => goTo?.(first),
        },
        rangeText(first, last),
      ),
    );
    return element(
      'article',
      { class: `flag ${flag.severity}` },
      element(
        'h3',
        {},
        element(
          'span',
          { class: `chip ${flag.severity}` },
          flag.severity === 'info' ? 'note' : flag.severity,
        ),
        ` ${flag.code}`,
      ),
      element('p', {}, flag.message),
      element('div', { class: 'jumps' }, ...buttons),
    );
  });
  const nothing = madeElsewhere
    ? 'Not checked: the mask was made elsewhere.'
    : 'None: nothing stood out.';
  const none = element('p', { class: 'soft' }, nothing);
  byId('flag-list').replaceChildren(...(cards.length === 0 ? [none] : cards));
}

/** All slices that a flag names, ascending. */
export const flaggedSlices = (flags: Flags): number[] =>
  [...new Set(flags.flatMap((flag) => flag.slices))].sort((a, b) => a - b);

/** Runs of consecutive slices, as first and last. */
function runs(slices: readonly number[]): (readonly [number, number])[] {
  const sorted = [...new Set(slices)].sort((a, b) => a - b);
  const starts = sorted.filter((slice, at) => slice - 1 !== sorted[at - 1]);
  const ends = sorted.filter((slice, at) => slice + 1 !== sorted[at + 1]);
  return starts.map((start, at) => [start, ends[at]!] as const);
}

const rangeText = (first: number, last: number): string =>
  first === last ? `slice ${first}` : `slices ${first}–${last}`;
