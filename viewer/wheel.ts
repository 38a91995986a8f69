/** A place on the canvas in CSS pixels from its top left corner. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** What moves a picture of slices. */
export interface Moves {
  /** Steps through the slices of the plane at a place; positive towards head, left or front. */
  scroll(steps: number, at: Place): void;
  /** Enlarges about a place, by a factor. */
  zoom(factor: number, at: Place): void;
  pan(from: Place, to: Place): void;
}

/** A notch of a wheel is 100 pixels or more; touchpads send many small steps instead. */
const NOTCH_PX = 50;
/** Of a touchpad or a finger, for one slice. */
const PX_PER_SLICE = 14;
const ZOOM_PER_PX = 0.002;
/** Lines and pages of wheels that do not count in pixels. */
const PX_PER_UNIT = [1, 33, 400];

/** A wheel steps through slices; with Ctrl, which a touchpad's pinch sends too, it zooms. */
export class Wheel {
  private readonly hands: Moves;
  private scrolledPx = 0;

  constructor(hands: Moves) {
    this.hands = hands;
  }

  wheel(event: WheelEvent, at: Place): void {
    event.preventDefault();
    const px = event.deltaY * PX_PER_UNIT[event.deltaMode]!;
    if (event.ctrlKey || event.metaKey) this.hands.zoom(Math.exp(-px * ZOOM_PER_PX), at);
    else if (Math.abs(px) >= NOTCH_PX) this.hands.scroll(-Math.sign(px), at);
    else this.scrollPx(-px, at);
  }

  /** Whole slices only; what is left counts on. */
  scrollPx(px: number, at: Place): void {
    this.scrolledPx += px;
    const steps = Math.trunc(this.scrolledPx / PX_PER_SLICE);
    if (steps === 0) return;
    this.scrolledPx -= steps * PX_PER_SLICE;
    this.hands.scroll(steps, at);
  }

  forget(): void {
    this.scrolledPx = 0;
  }
}

/** One of two fingers has moved: what is between them goes with them, and grows as they part. */
export function pinch(hands: Moves, from: Place, to: Place, other: Place): void {
  const [before, after] = [middle(from, other), middle(to, other)];
  hands.pan(before, after);
  const apart = distance(from, other);
  if (apart > 0) hands.zoom(distance(to, other) / apart, after);
}

export const distance = (a: Place, b: Place): number => Math.hypot(a.x - b.x, a.y - b.y);
const middle = (a: Place, b: Place): Place => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
