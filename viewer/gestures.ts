/** A place on the canvas in CSS pixels from its top left corner. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** What hands can ask for. */
export interface Hands {
  /** False in 3D, where NiiVue turns the volume itself. */
  inSlices(): boolean;
  /** Steps through the slices of the plane at a place; positive towards head, left or front. */
  scroll(steps: number, at: Place): void;
  /** Enlarges about a place, by a factor. */
  zoom(factor: number, at: Place): void;
  pan(from: Place, to: Place): void;
  /** Pixels dragged to the right and downwards. */
  changeWindow(right: number, down: number): void;
  /** Puts the cross at a place. */
  look(at: Place): void;
}

/** Moves shorter than this are a click. */
const CLICK_PX = 4;
/** A notch of a wheel is 100 pixels or more; touchpads send many small steps instead. */
const NOTCH_PX = 50;
/** Of a touchpad or a finger, for one slice. */
const PX_PER_SLICE = 14;
const ZOOM_PER_PX = 0.002;
/** Lines and pages of wheels that do not count in pixels. */
const PX_PER_UNIT = [1, 33, 400];

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
  private scrolledPx = 0;

  constructor(canvas: HTMLCanvasElement, around: HTMLElement, hands: Hands) {
    this.canvas = canvas;
    this.hands = hands;
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
    event.preventDefault();
    event.stopPropagation();
    const px = event.deltaY * PX_PER_UNIT[event.deltaMode]!;
    const at = this.placeOf(event);
    if (event.ctrlKey || event.metaKey) this.hands.zoom(Math.exp(-px * ZOOM_PER_PX), at);
    else if (Math.abs(px) >= NOTCH_PX) this.hands.scroll(-Math.sign(px), at);
    else this.scrollPx(-px, at);
  }

  /** Whole slices only; what is left counts on. */
  private scrollPx(px: number, at: Place): void {
    this.scrolledPx += px;
    const steps = Math.trunc(this.scrolledPx / PX_PER_SLICE);
    if (steps === 0) return;
    this.scrolledPx -= steps * PX_PER_SLICE;
    this.hands.scroll(steps, at);
  }

  private down(event: PointerEvent): void {
    if (!this.hands.inSlices()) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.placeOf(event);
    this.fingers.set(event.pointerId, { down: place, at: place });
    this.clicks = this.fingers.size === 1 && event.button !== 1;
    this.scrolledPx = 0;
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
    if (other) this.pinch(from, to, other.at);
    else if (this.drag === 'pan') this.hands.pan(from, to);
    else if (this.drag === 'scroll') this.scrollPx(from.y - to.y, to);
    else this.hands.changeWindow(to.x - from.x, to.y - from.y);
  }

  private pinch(from: Place, to: Place, other: Place): void {
    const [before, after] = [middle(from, other), middle(to, other)];
    this.hands.pan(before, after);
    const apart = distance(from, other);
    if (apart > 0) this.hands.zoom(distance(to, other) / apart, after);
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

const distance = (a: Place, b: Place): number => Math.hypot(a.x - b.x, a.y - b.y);
const middle = (a: Place, b: Place): Place => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
