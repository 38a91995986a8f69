import type { LabelState, SliceOfCase } from '../../core/contract/label-page.ts';
import { boxBetween, extentOf, fillHole, type Spot, stroke } from '../../core/labelling/paint.ts';
import { byId } from '../dom.ts';
import type { Place } from '../wheel.ts';
import { draggedWindow, FIRST_WINDOW_HU, WindowControl, windowPresets } from '../windows.ts';
import { selectTool, showUnread, type Tool } from './controls.ts';
import { DrawnSlice } from './drawn-slice.ts';
import { isBlocked, later, say } from './errands.ts';
import type { DrawingHands } from './hands.ts';
import * as server from './server.ts';
import { SlicePicture } from './slice-picture.ts';

/** Shorter than this on one side a box is a slip of the hand. */
const LEAST_BOX_VOXELS = 2;
/** Of the keyboard's cursor, for a key. */
const CURSOR_VOXELS = 4;

/** The slice that is worked on, and what can be done with it. */
export class Labelling implements DrawingHands {
  private readonly picture: SlicePicture;
  private readonly radius = byId<HTMLInputElement>('radius');
  private readonly slider = byId<HTMLInputElement>('slice');
  private readonly window: WindowControl;
  private windowHu = FIRST_WINDOW_HU;
  private state: LabelState;
  private at: SliceOfCase;
  private shown: DrawnSlice | undefined;
  private tool: Tool = 'b';
  private from: Spot | null = null;
  private to: Spot | null = null;
  private cursor: Spot | null = null;
  private hovered: Spot | null = null;

  constructor(canvas: HTMLCanvasElement, state: LabelState) {
    this.picture = new SlicePicture(canvas);
    this.state = state;
    this.at = { caseId: state.cases[0]?.caseId ?? '', slice: 0 };
    this.window = new WindowControl(windowPresets(state.windowHu), (hu) => this.setWindow(hu));
    this.window.show(this.windowHu);
    showUnread(state.unread);
    this.slider.addEventListener('input', () =>
      this.step(this.slider.valueAsNumber - this.at.slice),
    );
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  private draw(): void {
    const { shown, tool, from, to, cursor, hovered } = this;
    if (!shown) return;
    const paints = tool === 'd' || tool === 'e';
    this.picture.show(shown, this.windowHu, {
      box: tool === 'b' && from && to ? [from, to] : null,
      cursor,
      brush: paints && hovered ? { at: hovered, radius: this.radius.valueAsNumber } : null,
    });
  }

  private tell(): void {
    const { state, at, slider } = this;
    const one = state.cases.find(({ caseId }) => caseId === at.caseId)!;
    byId('count').textContent = `${state.labelled} of ${state.goal} slices labelled`;
    const open = one.proposed ? 'proposed, not yet confirmed' : 'not labelled yet';
    byId('place').textContent = `${at.caseId}, slice ${at.slice}`;
    byId('standing').textContent = this.shown?.isOpen ? open : 'labelled';
    slider.max = String(one.slices - 1);
    slider.value = String(at.slice);
  }

  goTo(place: SliceOfCase, why = ''): void {
    later(async () => {
      const slice = new DrawnSlice(await server.slice(place));
      if (place.caseId !== this.at.caseId) this.picture.reset();
      [this.shown, this.at, this.from, this.to] = [slice, place, null, null];
      const { caseId, slice: index } = place;
      const hash = new URLSearchParams({ case: caseId, slice: String(index) });
      history.replaceState(null, '', `#${hash}`);
      this.tell();
      say(`${why} ${this.hint()}`.trim());
      this.draw();
    });
  }

  private hint(): string {
    if (!this.shown?.isOpen || !this.isProposed()) return '';
    const what = this.shown.mask.includes(1) ? 'Yellow is a proposal' : 'Proposed: nothing here';
    return `${what}. Accept (key a) confirms it, a stroke corrects it.`;
  }

  private isProposed(): boolean {
    return this.state.cases.some(({ caseId, proposed }) => caseId === this.at.caseId && proposed);
  }

  goNext(): void {
    later(async () => {
      say('Choosing the next slice …');
      const proposed = await server.next();
      this.state = await server.state();
      showUnread(this.state.unread);
      if (proposed) this.goTo({ caseId: proposed.caseId, slice: proposed.slice }, proposed.why);
      else say('Every slice that is worth it is labelled.');
    });
  }

  step(by: number): void {
    const { caseId, slice: from } = this.at;
    const one = this.state.cases.find((each) => each.caseId === caseId);
    const slice = Math.min((one?.slices ?? 1) - 1, Math.max(0, from + by));
    if (slice !== from && !this.from) this.goTo({ caseId, slice });
  }

  /** What is drawn counts from now on, and is sent to the disk. */
  private commit(): void {
    this.shown!.commit();
    this.save();
  }

  private save(): void {
    const [place, slice] = [this.at, this.shown!];
    const { kinds } = slice;
    this.draw();
    later(
      async () => {
        this.state = await server.save(place, kinds);
        if (this.shown === slice) this.tell();
        const { unwritten } = this.state;
        if (unwritten === null) say('Saved.');
        else say(`Kept, but not in the label's file yet: ${unwritten}`, 'fault');
      },
      { blocks: false },
    );
  }

  undo(): void {
    if (this.shown && !isBlocked() && this.shown.undo()) this.save();
  }

  redo(): void {
    if (this.shown && !isBlocked() && this.shown.redo()) this.save();
  }

  accept(): void {
    if (!this.shown || isBlocked()) return;
    if (!this.isProposed()) say('Nothing is proposed here. n says that there is nothing.');
    else if (this.shown.isOpen) this.commit();
    else say('It is labelled already.');
  }

  nothingHere(): void {
    if (!this.shown || isBlocked()) return;
    this.shown.mask.fill(0);
    this.commit();
  }

  copyFrom(by: 1 | -1): void {
    later(async () => {
      const one = this.state.cases.find(({ caseId }) => caseId === this.at.caseId)!;
      const slice = this.at.slice + by;
      if (slice < 0 || slice >= one.slices) return say('There is no slice beside it.');
      const { mask } = new DrawnSlice(await server.slice({ ...this.at, slice }));
      this.shown!.mask.set(mask);
      this.commit();
    });
  }

  private drawBox(a: Spot, b: Spot, hint: Uint8Array | null): void {
    const corners = boxBetween(this.shown!, a, b);
    later(async () => {
      const mask = await server.box(this.at, corners, hint);
      if (!mask.includes(1)) {
        const { knowsTarget, bundle } = this.state;
        const why = knowsTarget ? '' : ` The bundle ${bundle} was trained on another target.`;
        say(`The model draws nothing there.${why} Use the brush.`);
        this.draw();
        return;
      }
      const { mask: drawn } = this.shown!;
      // A second box adds to the first; a hint is what is to be redrawn.
      drawn.set(hint ? mask : drawn.map((value, n) => value | mask[n]!));
      this.commit();
    });
  }

  /** The mask so far, strokes included, as the dense prompt; its extent as the box. */
  redraw(): void {
    const extent = this.shown && !isBlocked() && extentOf(this.shown);
    if (extent) this.drawBox(...extent, this.shown!.mask.slice());
  }

  choose(tool: Tool): void {
    this.tool = tool;
    selectTool(tool);
    this.draw();
  }

  widen(by: number): void {
    this.radius.value = String(this.radius.valueAsNumber + by);
    this.draw();
  }

  begin(place: Place): void {
    this.cursor = null;
    if (this.shown) this.beginAt(this.picture.spotOf(this.shown, place));
  }

  private beginAt(spot: Spot): void {
    if (!this.shown || isBlocked()) return;
    [this.from, this.to] = [spot, spot];
    this.moveTo(spot);
  }

  move(place: Place): void {
    if (this.shown) this.moveTo(this.picture.spotOf(this.shown, place));
  }

  private moveTo(spot: Spot): void {
    const { shown, to, tool } = this;
    if (!shown || !to) return;
    if (tool === 'd' || tool === 'e')
      stroke(shown, to, spot, this.radius.valueAsNumber, tool === 'd' ? 1 : 0);
    this.to = spot;
    this.draw();
  }

  end(): void {
    const { from: a, to: b, tool, shown } = this;
    [this.from, this.to] = [null, null];
    if (!shown || !a || !b) return;
    const isBox = Math.min(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) >= LEAST_BOX_VOXELS;
    if (tool === 'd' || tool === 'e') this.commit();
    else if (tool === 'f' && fillHole(shown, b)) this.commit();
    else if (tool === 'b' && isBox) this.drawBox(a, b, null);
    this.draw();
  }

  cancel(): void {
    if (!this.from) return;
    [this.from, this.to] = [null, null];
    this.shown?.cancel();
    this.draw();
  }

  hover(place: Place | null): void {
    this.hovered = place && this.shown ? this.picture.spotOf(this.shown, place) : null;
    if (!this.from) this.draw();
  }

  scroll(steps: number): void {
    this.step(steps);
  }

  zoom(factor: number, place?: Place): void {
    this.picture.zoomBy(factor, place);
    this.draw();
  }

  pan(from: Place, to: Place): void {
    this.picture.moveBy(to.x - from.x, to.y - from.y);
    this.draw();
  }

  wholeSlice(): void {
    this.picture.reset();
    this.draw();
  }

  changeWindow(right: number, down: number): void {
    this.setWindow(draggedWindow(this.windowHu, right, down));
  }

  nextWindow(): void {
    this.setWindow(this.window.next());
  }

  private setWindow(windowHu: typeof FIRST_WINDOW_HU): void {
    this.windowHu = windowHu;
    this.window.show(windowHu);
    this.draw();
  }

  moveCursor(dx: number, dy: number): void {
    if (!this.shown) return;
    const { columns, rows } = this.shown;
    const { x, y } = this.cursor ?? { x: columns / 2, y: rows / 2 };
    const within = (value: number, size: number) =>
      Math.min(size - 1, Math.max(0, Math.round(value)));
    const [right, down] = [dx * CURSOR_VOXELS, dy * CURSOR_VOXELS];
    this.cursor = { x: within(x + right, columns), y: within(y + down, rows) };
    if (this.from) this.moveTo(this.cursor);
    else this.draw();
  }

  /** The first press puts the pen down, the second lifts it. */
  press(): void {
    if (!this.cursor) this.moveCursor(0, 0);
    else if (this.from) this.end();
    else this.beginAt(this.cursor);
  }
}
