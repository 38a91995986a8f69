import { distance, type Moves, type Place, pinch, Wheel } from './wheel.ts';

/** What hands can ask for. */
export interface Hands extends Moves {
  /** False in 3D, where NiiVue turns the volume itself. */
  inSlices(): boolean;
  /** Pixels dragged to the right and downwards. */
  changeWindow(right: number, down: number): void;
  /** Puts the cross at a place. */
  look(at: Place): void;
}

/** Moves shorter than this are a click. */
const CLICK_PX = 4;

/** Events by which NiiVue would do something of its own. */
const NIIVUE_EVENTS = [
  'mousedown',
  'mousemove',
  'mouseup',
  'mouseleave',
  'touchstart',
  'touchmove',
  'touchend',
  'dblclick',
] as const;

type Drag = 'window' | 'pan' | 'scroll';

interface Finger {
  readonly down: Place;
  at: Place;
}

/**
 * Mouse, touchpad and fingers as radiology workstations have them: wheel steps through slices, Ctrl and
 * wheel (or a pinch) zooms, dragging sets the window, the middle button (or Shift, or two fingers)
 * moves the picture, a click puts the cross. One finger steps through slices.
 */
export class Gestures {
  private readonly hands: Hands;
  private readonly canvas: HTMLCanvasElement;
  private readonly fingers = new Map<number, Finger>();
  private drag: Drag = 'window';
  /** A gesture of two fingers must not end as a click of the last one. */
  private clicks = false;
  private readonly turned: Wheel;

  constructor(canvas: HTMLCanvasElement, around: HTMLElement, hands: Hands) {
    this.canvas = canvas;
    this.hands = hands;
    this.turned = new Wheel(hands);
    // Before the canvas, so that NiiVue never sees what is not its own.
    const capture = { capture: true, passive: false };
    for (const name of NIIVUE_EVENTS)
      around.addEventListener(name, (event) => this.keepFromNiivue(event), capture);
    around.addEventListener('wheel', (event) => this.wheel(event), capture);
    around.addEventListener('contextmenu', (event) => event.preventDefault(), capture);
    canvas.addEventListener('pointerdown', (event) => this.down(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.up(event));
    canvas.addEventListener('pointercancel', (event) => this.fingers.delete(event.pointerId));
  }

  private keepFromNiivue(event: Event): void {
    if (this.hands.inSlices()) event.stopPropagation();
  }

  private wheel(event: WheelEvent): void {
    if (!this.hands.inSlices()) return;
    event.stopPropagation();
    this.turned.wheel(event, this.placeOf(event));
  }

  private down(event: PointerEvent): void {
    if (!this.hands.inSlices()) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.placeOf(event);
    this.fingers.set(event.pointerId, { down: place, at: place });
    this.clicks = this.fingers.size === 1 && event.button !== 1;
    this.turned.forget();
    const middle = event.button === 1 || event.shiftKey;
    this.drag = event.pointerType === 'touch' ? 'scroll' : middle ? 'pan' : 'window';
  }

  private move(event: PointerEvent): void {
    const finger = this.fingers.get(event.pointerId);
    if (!finger) return;
    const [from, to] = [finger.at, this.placeOf(event)];
    if (this.clicks && distance(finger.down, to) < CLICK_PX) return;
    this.clicks = false;
    const other = [...this.fingers.values()].find((one) => one !== finger);
    finger.at = to;
    if (other) pinch(this.hands, from, to, other.at);
    else if (this.drag === 'pan') this.hands.pan(from, to);
    else if (this.drag === 'scroll') this.turned.scrollPx(from.y - to.y, to);
    else this.hands.changeWindow(to.x - from.x, to.y - from.y);
  }

  private up(event: PointerEvent): void {
    const finger = this.fingers.get(event.pointerId);
    this.fingers.delete(event.pointerId);
    if (finger && this.clicks) this.hands.look(finger.down);
    this.clicks = false;
  }

  private placeOf(event: MouseEvent): Place {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}
