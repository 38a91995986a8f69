import { type Moves, type Place, pinch, Wheel } from '../wheel.ts';

/** What a hand at the slice can ask for. */
export interface DrawingHands extends Moves {
  /** A stroke or box begins, goes on, and ends or is taken back. */
  begin(at: Place): void;
  move(at: Place): void;
  end(): void;
  cancel(): void;
  /** Where a pointer hovers; null where none does. */
  hover(at: Place | null): void;
  changeWindow(right: number, down: number): void;
}

type Does = 'draw' | 'pan' | 'window' | 'pinch';

/** Elements for which the space bar has a meaning of their own. */
const OWN_SPACE = 'button, input, select, summary, a, dialog[open], dialog[open] *';

/**
 * Mouse, pen and fingers on a slice: they draw, and move the picture as in the viewer (wheel = slices, Ctrl and wheel =
 * zoom, middle button or Shift = move), or with the space bar down; the right button sets the window. One finger
 * draws, two zoom and move. Once a pen has drawn fingers only move the picture, so that a hand may rest on it.
 */
export class HandsOn {
  private readonly canvas: HTMLCanvasElement;
  private readonly hands: DrawingHands;
  private readonly down = new Map<number, Place>();
  private does: Does = 'draw';
  private space = false;
  private pen = false;

  constructor(canvas: HTMLCanvasElement, hands: DrawingHands) {
    this.canvas = canvas;
    this.hands = hands;
    const wheel = new Wheel(hands);
    canvas.addEventListener('pointerdown', (event) => this.pointerDown(event));
    canvas.addEventListener('pointermove', (event) => this.pointerMove(event));
    canvas.addEventListener('pointerup', (event) => this.pointerUp(event, false));
    canvas.addEventListener('pointercancel', (event) => this.pointerUp(event, true));
    canvas.addEventListener('pointerleave', () => hands.hover(null));
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    // Browsers scroll by themselves while the middle button is down.
    canvas.addEventListener('mousedown', (event) => event.button === 1 && event.preventDefault());
    canvas.addEventListener('wheel', (event) => wheel.wheel(event, this.placeOf(event)), {
      passive: false,
    });
    // While it is captured: the page's own keys end what bubbles.
    document.addEventListener('keydown', (event) => this.spaceBar(event, true), true);
    document.addEventListener('keyup', (event) => this.spaceBar(event, false), true);
    window.addEventListener('blur', () => {
      this.space = false;
    });
  }

  private spaceBar(event: KeyboardEvent, isDown: boolean): void {
    if (event.key !== ' ') return;
    if (isDown && event.target instanceof Element && event.target.matches(OWN_SPACE)) return;
    if (isDown) event.preventDefault();
    this.space = isDown;
    this.canvas.style.cursor = isDown ? 'grab' : '';
  }

  private pointerDown(event: PointerEvent): void {
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.placeOf(event);
    this.down.set(event.pointerId, at);
    if (event.pointerType === 'pen') this.pen = true;
    if (this.down.size === 1) {
      this.does = this.meantBy(event);
      if (this.does === 'draw') this.hands.begin(at);
    } else {
      if (this.does === 'draw') this.hands.cancel();
      this.does = 'pinch';
    }
  }

  private meantBy({ button, shiftKey, pointerType }: PointerEvent): Does {
    if (button === 1 || shiftKey || this.space) return 'pan';
    if (button === 2) return 'window';
    return pointerType === 'touch' && this.pen ? 'pan' : 'draw';
  }

  private pointerMove(event: PointerEvent): void {
    const to = this.placeOf(event);
    if (event.pointerType !== 'touch') this.hands.hover(to);
    const from = this.down.get(event.pointerId);
    if (!from) return;
    const other = [...this.down].find(([id]) => id !== event.pointerId)?.[1];
    this.down.set(event.pointerId, to);
    if (this.does === 'draw') {
      // A fast pen is somewhere else by the time of the next event.
      for (const one of event.getCoalescedEvents()) this.hands.move(this.placeOf(one));
      this.hands.move(to);
    } else if (this.does === 'pan') this.hands.pan(from, to);
    else if (this.does === 'window') this.hands.changeWindow(to.x - from.x, to.y - from.y);
    else if (other) pinch(this.hands, from, to, other);
  }

  /** A gesture of two fingers does not go on as a stroke of the last one. */
  private pointerUp(event: PointerEvent, cancelled: boolean): void {
    if (!this.down.delete(event.pointerId) || this.does !== 'draw') return;
    if (cancelled) this.hands.cancel();
    else this.hands.end();
  }

  private placeOf(event: MouseEvent): Place {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}
