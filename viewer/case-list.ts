import type { ViewCase, ViewIndex } from '../core/contract/view.ts';
import { type Address, writeAddress } from './address.ts';
import { byId, element } from './dom.ts';

type Order = (a: ViewCase, b: ViewCase) => number;

const ORDERS: Readonly<Record<string, Order>> = {
  name: (a, b) => a.caseId.localeCompare(b.caseId, 'en', { numeric: true }),
  // Failed cases first: nothing is worse than no mask.
  'lowest Dice': (a, b) => worth(a) - worth(b),
  'most flags': (a, b) => b.reviewFlags.length - a.reviewFlags.length,
};

const worth = ({ status, dice }: ViewCase): number => (status === 'failed' ? -1 : (dice ?? 2));

/** The cases as links, where there is more than one. */
export function showCaseList(index: ViewIndex, chosen: ViewCase, address: Address): void {
  const { cases } = index;
  if (cases.length < 2) return;
  const list = element('ul', {});
  const fill = (order: Order): void =>
    list.replaceChildren(
      ...[...cases].sort(order).map((one) => caseRow(one, one === chosen, address)),
    );
  const select = element(
    'select',
    { change: () => fill(ORDERS[select.value]!) },
    ...Object.keys(ORDERS).map((name) => element('option', {}, name)),
  );
  fill(ORDERS.name!);
  const open = !matchMedia('(max-width: 60rem)').matches;
  byId('cases').replaceChildren(
    element(
      'details',
      { open },
      element('summary', {}, `${cases.length} cases`),
      element('label', { class: 'field' }, 'By ', select),
      list,
    ),
  );
  byId('cases').hidden = false;
  list.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
}

/** The case after or before the chosen one, in the order that the list shows, round at the ends. */
export function caseBeside({ caseId }: ViewCase, direction: 1 | -1): string | undefined {
  const shown = [...byId('cases').querySelectorAll<HTMLElement>('a[data-case]')].map(
    (link) => link.dataset.case!,
  );
  const at = shown.indexOf(caseId);
  return shown.length < 2 ? undefined : shown[(at + direction + shown.length) % shown.length];
}

/** Of another case of the list: nothing of where the reader was in this one. */
export const addressOf = (caseId: string, { index }: Address): Address => ({
  index,
  caseId,
  slice: null,
  other: 0,
});

function caseRow(one: ViewCase, current: boolean, address: Address): HTMLLIElement {
  const href = writeAddress(addressOf(one.caseId, address));
  const link = element(
    'a',
    { href, 'data-case': one.caseId, ...(current && { 'aria-current': 'page' }) },
    one.caseId,
  );
  const facts = [
    one.status === 'failed' ? 'failed' : null,
    one.volumeMl === null ? null : `${one.volumeMl.toFixed(0)} ml`,
    one.dice === null ? null : `Dice ${one.dice.toFixed(3)}`,
  ].filter((fact) => fact !== null);
  const count = one.reviewFlags.length;
  const flags = count === 0 ? [] : [chip(`${count} ${count === 1 ? 'flag' : 'flags'}`)];
  return element('li', {}, link, element('span', {}, facts.join(' · '), ' ', ...flags));
}

const chip = (text: string): HTMLElement => element('span', { class: 'chip review' }, text);
