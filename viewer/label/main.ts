import { byId } from '../dom.ts';
import { type KeyBinding, listenToKeys } from '../keyboard.ts';
import { showButtons, showTools, TOOLS, type Tool } from './controls.ts';
import { later } from './errands.ts';
import { HandsOn } from './hands.ts';
import { Labelling } from './labelling.ts';
import * as server from './server.ts';
import { KEY_ZOOM } from './zoom.ts';

const key = (letter: string, does: string, act: () => void, shown = letter): KeyBinding => ({
  keys: [letter],
  shown,
  does,
  act,
});

/** With a button each, so that they are at hand without a keyboard. */
const buttonsOf = (labelling: Labelling, proposed: boolean): readonly KeyBinding[] => [
  key('Enter', 'next slice', () => labelling.goNext()),
  ...(proposed ? [key('a', 'accept', () => labelling.accept())] : []),
  key('n', 'nothing here', () => labelling.nothingHere()),
  key('u', 'undo', () => labelling.undo()),
  key('y', 'redo', () => labelling.redo()),
  key('r', 'redraw by the model from what is drawn', () => labelling.redraw()),
  key('0', 'whole slice', () => labelling.wholeSlice()),
];

const otherKeys = (labelling: Labelling): readonly KeyBinding[] => [
  key('c', 'copy from the slice below', () => labelling.copyFrom(-1)),
  key('v', 'copy from the slice above', () => labelling.copyFrom(1)),
  ...(Object.keys(TOOLS) as Tool[]).map((tool) =>
    key(tool, TOOLS[tool].toLowerCase(), () => labelling.choose(tool)),
  ),
  { ...key('.', 'a slice up', () => labelling.step(1)), keys: ['PageUp', '.'] },
  { ...key(',', 'a slice down', () => labelling.step(-1)), keys: ['PageDown', ','] },
  key('[', 'smaller brush', () => labelling.widen(-1)),
  key(']', 'larger brush', () => labelling.widen(1)),
  { ...key('+', 'larger picture', () => labelling.zoom(KEY_ZOOM)), keys: ['+', '='] },
  key('-', 'smaller picture', () => labelling.zoom(1 / KEY_ZOOM)),
  key('w', 'next window', () => labelling.nextWindow()),
  key('ArrowLeft', 'cursor left', () => labelling.moveCursor(-1, 0), '←'),
  key('ArrowRight', 'cursor right', () => labelling.moveCursor(1, 0), '→'),
  key('ArrowUp', 'cursor up', () => labelling.moveCursor(0, -1), '↑'),
  key('ArrowDown', 'cursor down', () => labelling.moveCursor(0, 1), '↓'),
  key('x', 'pen down and up at the cursor', () => labelling.press()),
];

later(async () => {
  const state = await server.state();
  const canvas = byId<HTMLCanvasElement>('canvas');
  const labelling = new Labelling(canvas, state);
  byId('title').textContent = `Label ${state.target}`;
  showTools('b', (tool) => labelling.choose(tool));
  const buttons = buttonsOf(
    labelling,
    state.cases.some(({ proposed }) => proposed),
  );
  showButtons(buttons);
  listenToKeys([...buttons, ...otherKeys(labelling)]);
  new HandsOn(canvas, labelling);
  const hash = new URLSearchParams(location.hash.slice(1));
  const known = state.cases.find(({ caseId }) => caseId === hash.get('case'));
  if (known) labelling.goTo({ caseId: known.caseId, slice: Number(hash.get('slice')) || 0 });
  else labelling.goNext();
});
