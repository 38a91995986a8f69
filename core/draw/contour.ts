/**
 * A closed boundary as corner points x0, y0, x1, y1, ... in pixel corners: pixel (i, j) covers
 * [i, i + 1] x [j, j + 1]. Outer boundaries run clockwise on the screen (y down), holes the other
 * way, so the signed areas of all contours sum to the number of set pixels.
 */
export type Contour = readonly number[];

const RIGHT = 0;
const DOWN = 1;
const LEFT = 2;
const UP = 3;
const DX = [1, 0, -1, 0] as const;
const DY = [0, 1, 0, -1] as const;

/** Bit d of a corner: a boundary edge leaves it in direction d, with the set pixel on its right. */
function boundaryEdges(mask: Uint8Array, width: number, height: number): Uint8Array {
  const stride = width + 1;
  const edges = new Uint8Array(stride * (height + 1));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      if (mask[at] === 0) continue;
      const corner = y * stride + x;
      if (y === 0 || mask[at - width] === 0) edges[corner]! |= 1 << RIGHT;
      if (x === width - 1 || mask[at + 1] === 0) edges[corner + 1]! |= 1 << DOWN;
      if (y === height - 1 || mask[at + width] === 0) edges[corner + stride + 1]! |= 1 << LEFT;
      if (x === 0 || mask[at - 1] === 0) edges[corner + stride]! |= 1 << UP;
    }
  }
  return edges;
}

/** Takes one loop of edges out of `edges`, beginning at a corner that has one. */
function followLoop(edges: Uint8Array, stride: number, start: number): number[] {
  const points: number[] = [];
  let corner = start;
  let heading = -1;
  for (;;) {
    const out = edges[corner]!;
    if (out === 0) return points;
    // Where two pixels touch at a corner only, turning right stays with the same pixel: the set
    // is 4-connected.
    const turns = heading < 0 ? [0, 1, 2, 3] : [heading + 1, heading, heading + 3];
    const next = turns.map((turn) => turn % 4).find((turn) => (out >> turn) & 1)!;
    if (next !== heading) points.push(corner % stride, Math.floor(corner / stride));
    edges[corner] = out & ~(1 << next);
    corner += DX[next]! + DY[next]! * stride;
    heading = next;
  }
}

/**
 * All boundaries of a binary image, holes included, in raster order of their first corner.
 *
 * @param mask `width * height` bytes in rows; 0 is outside, anything else inside.
 */
export function traceContours(mask: Uint8Array, width: number, height: number): Contour[] {
  const stride = width + 1;
  const edges = boundaryEdges(mask, width, height);
  const contours: Contour[] = [];
  for (let corner = 0; corner < edges.length; corner += 1) {
    // A raster scan meets every loop first at a corner that is left to the right or downwards.
    while (edges[corner] !== 0) contours.push(followLoop(edges, stride, corner));
  }
  return contours;
}

/**
 * The same boundary with its corners cut: straight lines between the middles of the pixel edges,
 * which is what marching squares draws at level one half. Never more than half a pixel away.
 */
export function cutCorners(contour: Contour): Contour {
  const points: number[] = [];
  for (let n = 0; n < contour.length; n += 2) {
    const next = (n + 2) % contour.length;
    const [x0, y0, x1, y1] = [contour[n]!, contour[n + 1]!, contour[next]!, contour[next + 1]!];
    const dx = Math.sign(x1 - x0) / 2;
    const dy = Math.sign(y1 - y0) / 2;
    appendPoint(points, x0 + dx, y0 + dy);
    appendPoint(points, x1 - dx, y1 - dy);
  }
  return points;
}

/** Appends a point, or moves the last one where all three lie on a line. */
function appendPoint(points: number[], x: number, y: number): void {
  const end = points.length;
  if (end >= 2 && points[end - 2] === x && points[end - 1] === y) return;
  if (end >= 4) {
    const ax = points[end - 2]! - points[end - 4]!;
    const ay = points[end - 1]! - points[end - 3]!;
    const bx = x - points[end - 2]!;
    const by = y - points[end - 1]!;
    if (ax * by === ay * bx && ax * bx + ay * by > 0) {
      points[end - 2] = x;
      points[end - 1] = y;
      return;
    }
  }
  points.push(x, y);
}

/** SVG path data in half pixels (a viewBox of twice the size), so that every number is whole. */
export function svgPath(contours: readonly Contour[]): string {
  return contours.map(halfPixelPath).join('');
}

function halfPixelPath(contour: Contour): string {
  const points = cutCorners(contour).map((value) => value * 2);
  const steps: string[] = [];
  for (let n = 2; n < points.length; n += 2) {
    steps.push(`${points[n]! - points[n - 2]!} ${points[n + 1]! - points[n - 1]!}`);
  }
  return `M${points[0]} ${points[1]}l${steps.join(' ')}z`;
}
