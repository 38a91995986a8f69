import { byId, element } from './dom.ts';

export interface KeyBinding {
  readonly keys: readonly string[];
  /** How the help names the keys. */
  readonly shown: string;
  readonly does: string;
  readonly act: () => void;
}

/** Elements that use arrow and letter keys themselves. */
const TYPING = 'select, input[type="range"], input[type="radio"], dialog[open] *';

/** One listener for the page; the help lists what it knows. */
export function listenToKeys(bindings: readonly KeyBinding[]): void {
  const help = byId<HTMLDialogElement>('help');
  byId('help-open').addEventListener('click', () => help.showModal());
  const all: readonly KeyBinding[] = [
    ...bindings,
    { keys: ['?'], shown: '?', does: 'this list', act: () => help.showModal() },
  ];
  byId('keys').replaceChildren(
    ...all.flatMap(({ shown, does }) => [
      element('dt', {}, element('kbd', {}, shown)),
      element('dd', {}, does),
    ]),
  );
  // Before NiiVue, whose own keys would move the crosshair a second time.
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
      const inCanvas = event.target instanceof HTMLCanvasElement;
      if (inCanvas && event.key !== 'Tab') event.stopPropagation();
      const target = event.target as Element;
      const letter = event.key.length === 1 && !target.matches('select');
      if (!letter && target.matches(TYPING)) return;
      const binding = all.find(({ keys }) => keys.includes(event.key));
      if (!binding) return;
      event.preventDefault();
      binding.act();
    },
    true,
  );
}
