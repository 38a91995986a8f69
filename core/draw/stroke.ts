import type { Contour } from './contour.ts';
import type { Raster } from './png.ts';

/** How much of each pixel a line covers, 0 to 1; `size * size` values in rows. */
export interface Coverage {
  readonly size: number;
  readonly amount: Float32Array;
}

export const emptyCoverage = (size: number): Coverage => ({
  size,
  amount: new Float32Array(size * size),
});

/** Adds a closed, dashed line. Points are in pixel corners; dash lengths in pixels, along the line. */
export function strokeClosed(
  coverage: Coverage,
  contour: Contour,
  widthPx: number,
  dashPx: readonly number[],
): void {
  const period = dashPx.reduce((sum, length) => sum + length, 0);
  const ends = period === 0 ? 'round' : 'flat';
  let along = 0;
  for (let n = 0; n < contour.length; n += 2) {
    const next = (n + 2) % contour.length;
    const from = [contour[n]!, contour[n + 1]!] as const;
    const to = [contour[next]!, contour[next + 1]!] as const;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const cuts: readonly Cut[] =
      period === 0 ? [[0, length]] : dashes(along, length, dashPx, period);
    for (const [start, end] of cuts) {
      const dashStart = lerp(from, to, start / length);
      const dashEnd = lerp(from, to, end / length);
      strokeSegment(coverage, dashStart, dashEnd, widthPx, ends);
    }
    along += length;
  }
}

type Point = readonly [number, number];
/** Where a stretch begins and ends, in pixels from the segment's start. */
type Cut = readonly [start: number, end: number];

const lerp = (a: Point, b: Point, t: number): Point => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
];

/** The drawn stretches of a segment that begins `along` pixels into the dash pattern. */
function dashes(along: number, length: number, dashPx: readonly number[], period: number): Cut[] {
  const stretches: Cut[] = [];
  let at = -(along % period);
  for (let n = 0; at < length; n = (n + 1) % dashPx.length) {
    const end = at + dashPx[n]!;
    if (n % 2 === 0 && end > 0) stretches.push([Math.max(0, at), Math.min(length, end)]);
    at = end;
  }
  return stretches;
}

/**
 * A straight line; a pixel's cover falls linearly over the pixel at the line's edge. Round ends make
 * the joints of a whole line; dashes end flat, or they would eat up the gaps.
 */
function strokeSegment(
  { size, amount }: Coverage,
  a: Point,
  b: Point,
  widthPx: number,
  ends: 'round' | 'flat',
): void {
  const reach = widthPx / 2 + 0.5;
  const x0 = Math.max(0, Math.floor(Math.min(a[0], b[0]) - reach));
  const x1 = Math.min(size - 1, Math.ceil(Math.max(a[0], b[0]) + reach));
  const y0 = Math.max(0, Math.floor(Math.min(a[1], b[1]) - reach));
  const y1 = Math.min(size - 1, Math.ceil(Math.max(a[1], b[1]) + reach));
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  if (length === 0) return;
  const ux = (b[0] - a[0]) / length;
  const uy = (b[1] - a[1]) / length;
  for (let y = y0; y <= y1; y += 1) {
    for (let x = x0; x <= x1; x += 1) {
      const px = x + 0.5 - a[0];
      const py = y + 0.5 - a[1];
      const along = px * ux + py * uy;
      const beyond = Math.max(0, -along, along - length);
      const aside = Math.abs(px * uy - py * ux);
      const cover =
        ends === 'round'
          ? reach - Math.hypot(aside, beyond)
          : Math.min(reach - aside, 0.5 + Math.min(along, length - along));
      const index = y * size + x;
      if (cover > amount[index]!) amount[index] = Math.min(1, cover);
    }
  }
}

/** Three columns and five rows per glyph; every octal digit is a row, its highest bit to the left. */
const GLYPHS: Readonly<Record<string, string>> = {
  '0': '75557',
  '1': '26227',
  '2': '71747',
  '3': '71717',
  '4': '55711',
  '5': '74717',
  '6': '74757',
  '7': '71122',
  '8': '75757',
  '9': '75717',
  A: '25755',
  B: '65656',
  C: '74447',
  D: '65556',
  E: '74747',
  I: '72227',
  K: '55655',
  L: '44447',
  M: '57755',
  O: '75557',
  P: '75744',
  R: '65655',
  S: '34216',
  U: '55557',
  X: '55255',
  '.': '00002',
  '-': '00700',
};

const COLUMNS = 3;
const ROWS = 5;

export const textWidthPx = (text: string, scale: number): number =>
  text.length * (COLUMNS + 1) * scale;

/** Writes capitals, digits, `.` and `-`; any other character leaves a space. */
export function drawText(
  raster: Raster,
  text: string,
  left: number,
  top: number,
  scale: number,
  rgb: readonly [number, number, number],
): void {
  [...text].forEach((character, n) => {
    const glyph = GLYPHS[character] ?? '00000';
    for (let row = 0; row < ROWS * scale; row += 1) {
      const bits = Number(glyph[Math.floor(row / scale)]);
      for (let column = 0; column < COLUMNS * scale; column += 1) {
        if (((bits >> (2 - Math.floor(column / scale))) & 1) === 0) continue;
        const x = left + n * (COLUMNS + 1) * scale + column;
        raster.rgb.set(rgb, ((top + row) * raster.width + x) * 3);
      }
    }
  });
}
