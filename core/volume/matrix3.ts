/** 3x3 matrices as rows: just what orientation and quaternions need. */
export type Vector3 = readonly [number, number, number];
export type Matrix3 = readonly [Vector3, Vector3, Vector3];

export const column = (m: Matrix3, n: 0 | 1 | 2): Vector3 => [m[0][n], m[1][n], m[2][n]];

export const fromColumns = (a: Vector3, b: Vector3, c: Vector3): Matrix3 => [
  [a[0], b[0], c[0]],
  [a[1], b[1], c[1]],
  [a[2], b[2], c[2]],
];

export const dot = (a: Vector3, b: Vector3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

const norm = (v: Vector3): number => Math.hypot(v[0], v[1], v[2]);

export const scale = (v: Vector3, by: number): Vector3 => [v[0] * by, v[1] * by, v[2] * by];

const cross = (a: Vector3, b: Vector3): Vector3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

export const determinant = (m: Matrix3): number => dot(m[0], cross(m[1], m[2]));

/** The columns of `m` brought to length 1, and their lengths. */
export function normaliseColumns(m: Matrix3): { directions: Matrix3; lengths: Vector3 } {
  const columns = [column(m, 0), column(m, 1), column(m, 2)] as const;
  const lengths: Vector3 = [norm(columns[0]), norm(columns[1]), norm(columns[2])];
  const [a, b, c] = columns;
  const directions = fromColumns(
    scale(a, 1 / lengths[0]),
    scale(b, 1 / lengths[1]),
    scale(c, 1 / lengths[2]),
  );
  return { directions, lengths };
}

/**
 * The orthogonal matrix nearest to a regular `m` (its polar factor), by Newton's iteration
 * R <- (R + R^-T) / 2, which converges quadratically (Higham 1986).
 */
export function nearestOrthogonal(m: Matrix3): Matrix3 {
  let current = m;
  for (let step = 0; step < 60; step++) {
    const next = average(current, inverseTranspose(current));
    const change = largestDifference(current, next);
    current = next;
    if (change < 1e-15) break;
  }
  return current;
}

/** Rows of the inverse transpose are the cross products of the rows over the determinant. */
function inverseTranspose(m: Matrix3): Matrix3 {
  const by = 1 / determinant(m);
  return [scale(cross(m[1], m[2]), by), scale(cross(m[2], m[0]), by), scale(cross(m[0], m[1]), by)];
}

const averageRows = (a: Vector3, b: Vector3): Vector3 => [
  (a[0] + b[0]) / 2,
  (a[1] + b[1]) / 2,
  (a[2] + b[2]) / 2,
];

const average = (a: Matrix3, b: Matrix3): Matrix3 => [
  averageRows(a[0], b[0]),
  averageRows(a[1], b[1]),
  averageRows(a[2], b[2]),
];

const largestDifference = (a: Matrix3, b: Matrix3): number =>
  Math.max(...a.flatMap((row, r) => row.map((value, c) => Math.abs(value - b[r]![c]!))));
