/** Strokes on a mask of one slice: rows x columns, 0 or 1. They change it in place. */
export interface Plane {
  readonly columns: number;
  readonly rows: number;
  readonly mask: Uint8Array;
}

/** A voxel by column and row; fractions lie between centres. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** Sets to `value` what lies within `radius` voxels of the segment from one spot to another. */
export function stroke(plane: Plane, from: Spot, to: Spot, radius: number, value: 0 | 1): void {
  const { columns, rows, mask } = plane;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length2 = dx * dx + dy * dy;
  const range = (a: number, b: number, end: number) => [
    Math.max(0, Math.ceil(Math.min(a, b) - radius)),
    Math.min(end - 1, Math.floor(Math.max(a, b) + radius)),
  ];
  const [left, right] = range(from.x, to.x, columns) as [number, number];
  const [top, bottom] = range(from.y, to.y, rows) as [number, number];
  for (let y = top; y <= bottom; y++)
    for (let x = left; x <= right; x++) {
      const along = length2 === 0 ? 0 : ((x - from.x) * dx + (y - from.y) * dy) / length2;
      const t = Math.min(1, Math.max(0, along));
      const off = (x - from.x - t * dx) ** 2 + (y - from.y - t * dy) ** 2;
      if (off <= radius * radius) mask[y * columns + x] = value;
    }
}

/** The box that was dragged from one spot to another, cut to the slice: left, top, right, bottom, inclusive. */
export function boxBetween(
  { columns, rows }: Plane,
  a: Spot,
  b: Spot,
): [left: number, top: number, right: number, bottom: number] {
  const within = (value: number, end: number): number =>
    Math.min(end - 1, Math.max(0, Math.round(value)));
  return [
    within(Math.min(a.x, b.x), columns),
    within(Math.min(a.y, b.y), rows),
    within(Math.max(a.x, b.x), columns),
    within(Math.max(a.y, b.y), rows),
  ];
}

/** Corners of the mask's bounding box, inclusive; undefined for an empty mask. */
export function extentOf({ columns, mask }: Plane): [Spot, Spot] | undefined {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -1, -1];
  mask.forEach((value, n) => {
    if (!value) return;
    const [x, y] = [n % columns, Math.floor(n / columns)];
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
  });
  return x1 < 0
    ? undefined
    : [
        { x: x0, y: y0 },
        { x: x1, y: y1 },
      ];
}

/** Fills the hole of the mask around a spot; a spot on the mask, or outside of every outline, changes nothing. */
export function fillHole({ columns, rows, mask }: Plane, { x, y }: Spot): boolean {
  const seed = Math.round(y) * columns + Math.round(x);
  if (mask[seed] !== 0) return false;
  const found = [seed];
  const seen = new Set(found);
  for (let next = 0; next < found.length; next++) {
    const at = found[next]!;
    const [column, row] = [at % columns, Math.floor(at / columns)];
    if (column === 0 || row === 0 || column === columns - 1 || row === rows - 1) return false;
    for (const other of [at - 1, at + 1, at - columns, at + columns])
      if (mask[other] === 0 && !seen.has(other)) {
        seen.add(other);
        found.push(other);
      }
  }
  for (const at of found) mask[at] = 1;
  return true;
}
