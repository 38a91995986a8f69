import type { LabelState, SliceOfCase } from '../../core/contract/label-page.ts';
import { VOXEL } from '../../core/labelling/label-plane.ts';
import { extentOf, fillHole, type Spot, stroke } from '../../core/labelling/paint.ts';
import { byId } from '../dom.ts';
import { type KeyBinding, listenToKeys } from '../keyboard.ts';
import { nextWindow, selectTool, showControls, TOOLS, type Tool, windowHu } from './controls.ts';
import { isBlocked, later, say } from './errands.ts';
import * as server from './server.ts';
import { type ShownSlice, SlicePicture } from './slice-picture.ts';

const canvas = byId<HTMLCanvasElement>('canvas');
const picture = new SlicePicture(canvas);
const radius = byId<HTMLInputElement>('radius');
const slider = byId<HTMLInputElement>('slice');

let state: LabelState;
let at: SliceOfCase;
let shown: ShownSlice | undefined;
let tool: Tool = 'b';
let undone: Uint8Array[] = [];
let done: Uint8Array[] = [];
let from: Spot | null = null;
let to: Spot | null = null;
let cursor: Spot | null = null;
let before: Uint8Array | undefined;

function draw(): void {
  if (!shown) return;
  const box = tool === 'b' && from && to ? ([from, to] as const) : null;
  picture.show(shown, windowHu(), { box, cursor });
}

const sliceCount = (): number => state.cases.find(({ caseId }) => caseId === at.caseId)!.slices;

function tell(): void {
  byId('count').textContent = `${state.labelled} of ${state.goal} slices labelled`;
  const slices = sliceCount();
  byId('place').textContent = `${at.caseId}, slice ${at.slice}`;
  slider.max = String(slices - 1);
  slider.value = String(at.slice);
}

function goTo(place: SliceOfCase, why = ''): void {
  later(async () => {
    shown = await server.slice(place);
    at = place;
    [done, undone, from, to] = [[], [], null, null];
    history.replaceState(
      null,
      '',
      `#${new URLSearchParams({ case: at.caseId, slice: String(at.slice) })}`,
    );
    tell();
    const open = shown.kinds.includes(VOXEL.ignore);
    say(`${why} ${open ? 'Not labelled yet.' : 'Labelled.'}`.trim());
    draw();
  });
}

function step(by: number): void {
  const slices = sliceCount();
  const slice = Math.min(slices - 1, Math.max(0, at.slice + by));
  if (slice !== at.slice) goTo({ ...at, slice });
}

function goNext(): void {
  later(async () => {
    say('Choosing the next slice …');
    const proposed = await server.next();
    if (proposed) goTo({ caseId: proposed.caseId, slice: proposed.slice }, proposed.why);
    else say('Every slice that is worth it is labelled.');
  });
}

/** After every change of the mask. */
function saved(old: Uint8Array): void {
  done.push(old);
  undone = [];
  keep();
}

function keep(): void {
  const [place, mask] = [at, shown!.mask.slice()];
  draw();
  later(
    async () => {
      state = await server.save(place, mask);
      tell();
      say('Saved.');
    },
    { blocks: false },
  );
}

function replaceMask(mask: Uint8Array): void {
  shown!.mask.set(mask);
  keep();
}

function travel(back: Uint8Array[], forth: Uint8Array[]): void {
  if (!shown || isBlocked()) return;
  const mask = back.pop();
  if (!mask) return;
  forth.push(shown.mask.slice());
  replaceMask(mask);
}

function drawBox(a: Spot, b: Spot, hint: Uint8Array | null): void {
  const { columns, rows } = shown!;
  const clamp = (value: number, end: number) => Math.min(end - 1, Math.max(0, Math.round(value)));
  const corners = [
    clamp(Math.min(a.x, b.x), columns),
    clamp(Math.min(a.y, b.y), rows),
    clamp(Math.max(a.x, b.x), columns),
    clamp(Math.max(a.y, b.y), rows),
  ];
  later(async () => {
    const mask = await server.box(at, corners, hint);
    if (!mask.includes(1)) {
      const why = state.knowsTarget
        ? ''
        : ` The bundle ${state.bundle} was trained on another target.`;
      say(`The model draws nothing there.${why} Use the brush.`);
      draw();
      return;
    }
    const old = shown!.mask.slice();
    // A second box adds to the first; a hint is what is to be redrawn.
    if (hint) shown!.mask.set(mask);
    else shown!.mask.set(shown!.mask.map((value, n) => value | mask[n]!));
    saved(old);
  });
}

/** The mask so far, strokes included, as the dense prompt; its extent as the box. */
function redraw(): void {
  const extent = shown && extentOf(shown);
  if (extent) drawBox(...extent, shown!.mask.slice());
}

function nothingHere(): void {
  if (!shown || isBlocked()) return;
  const old = shown.mask.slice();
  shown.mask.fill(0);
  saved(old);
}

function copyFrom(by: number): void {
  later(async () => {
    const slices = sliceCount();
    const slice = at.slice + by;
    if (slice < 0 || slice >= slices) return say('There is no slice beside it.');
    const { mask } = await server.slice({ ...at, slice });
    const old = shown!.mask.slice();
    shown!.mask.set(mask);
    saved(old);
  });
}

function choose(next: Tool): void {
  tool = next;
  selectTool(next);
}

/** Pointer or keyboard: where a stroke or box begins, goes on and ends. */
function begin(spot: Spot): void {
  if (!shown || isBlocked()) return;
  [from, to] = [spot, spot];
  before = shown.mask.slice();
  if (tool === 'f' && fillHole(shown, spot)) saved(before);
  move(spot);
}

function move(spot: Spot): void {
  if (!shown || !from || !to) return;
  if (tool === 'd' || tool === 'e')
    stroke(shown, to, spot, radius.valueAsNumber, tool === 'd' ? 1 : 0);
  to = spot;
  draw();
}

function end(): void {
  const [a, b, old] = [from, to, before];
  [from, to] = [null, null];
  if (!shown || !a || !b || !old) return;
  if (tool === 'd' || tool === 'e') saved(old);
  else if (tool === 'b' && Math.abs(a.x - b.x) >= 2 && Math.abs(a.y - b.y) >= 2)
    drawBox(a, b, null);
  draw();
}

function moveCursor(dx: number, dy: number): void {
  if (!shown) return;
  const { x, y } = cursor ?? { x: shown.columns / 2, y: shown.rows / 2 };
  const within = (value: number, size: number) =>
    Math.min(size - 1, Math.max(0, Math.round(value)));
  cursor = { x: within(x + dx * 4, shown.columns), y: within(y + dy * 4, shown.rows) };
  if (from) move(cursor);
  else draw();
}

/** The first press puts the pen down, the second lifts it. */
function press(): void {
  if (!cursor) moveCursor(0, 0);
  else if (from) end();
  else begin(cursor);
}

const ACTIONS: readonly KeyBinding[] = [
  { keys: ['Enter'], shown: 'Enter', does: 'next slice', act: goNext },
  { keys: ['n'], shown: 'n', does: 'nothing here', act: nothingHere },
  { keys: ['u'], shown: 'u', does: 'undo', act: () => travel(done, undone) },
  { keys: ['y'], shown: 'y', does: 'redo', act: () => travel(undone, done) },
  { keys: ['r'], shown: 'r', does: 'redraw by the model from what is drawn', act: redraw },
  { keys: ['c'], shown: 'c', does: 'copy from the slice below', act: () => copyFrom(-1) },
  { keys: ['v'], shown: 'v', does: 'copy from the slice above', act: () => copyFrom(1) },
];

const size = (by: number) => (): void => {
  radius.value = String(radius.valueAsNumber + by);
};

const KEYS: readonly KeyBinding[] = [
  ...ACTIONS,
  ...(Object.keys(TOOLS) as Tool[]).map((key) => ({
    keys: [key],
    shown: key,
    does: TOOLS[key].toLowerCase(),
    act: () => choose(key),
  })),
  { keys: ['PageUp', '.'], shown: '.', does: 'a slice up', act: () => step(1) },
  { keys: ['PageDown', ','], shown: ',', does: 'a slice down', act: () => step(-1) },
  { keys: ['['], shown: '[', does: 'smaller brush', act: size(-1) },
  { keys: [']'], shown: ']', does: 'larger brush', act: size(1) },
  {
    keys: ['w'],
    shown: 'w',
    does: 'next window',
    act: () => {
      nextWindow();
      draw();
    },
  },
  { keys: ['ArrowLeft'], shown: '←', does: 'cursor left', act: () => moveCursor(-1, 0) },
  { keys: ['ArrowRight'], shown: '→', does: 'cursor right', act: () => moveCursor(1, 0) },
  { keys: ['ArrowUp'], shown: '↑', does: 'cursor up', act: () => moveCursor(0, -1) },
  { keys: ['ArrowDown'], shown: '↓', does: 'cursor down', act: () => moveCursor(0, 1) },
  { keys: ['x'], shown: 'x', does: 'pen down and up at the cursor', act: press },
];

function build(): void {
  byId('title').textContent = `Label ${state.target}`;
  showControls(tool, { choose, windowChanged: draw, actions: ACTIONS.slice(0, 5) });
  slider.addEventListener('input', () => step(slider.valueAsNumber - at.slice));
  listenToKeys(KEYS);
  canvas.addEventListener('pointerdown', (event) => {
    if (!shown || event.button !== 0 || isBlocked()) return;
    canvas.setPointerCapture(event.pointerId);
    cursor = null;
    begin(picture.spotOf(shown, event));
  });
  canvas.addEventListener('pointermove', (event) => shown && move(picture.spotOf(shown, event)));
  canvas.addEventListener('pointerup', end);
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      step(-Math.sign(event.deltaY));
    },
    { passive: false },
  );
  new ResizeObserver(draw).observe(canvas);
}

later(async () => {
  state = await server.state();
  build();
  const hash = new URLSearchParams(location.hash.slice(1));
  const known = state.cases.find(({ caseId }) => caseId === hash.get('case'));
  if (known) goTo({ caseId: known.caseId, slice: Number(hash.get('slice')) || 0 });
  else goNext();
});
