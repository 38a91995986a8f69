import type { Geometry } from '../core/volume/geometry.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';

type Placed = Pick<Geometry, 'affine' | 'shape' | 'transform'>;

/**
 * RAS+ position of a canonical voxel index (column, row, slice; fractions lie between voxel centres),
 * in the units of the affine: millimetres unless the header says otherwise.
 */
export function positionOf({ affine, shape, transform }: Placed, index: Vector3): Vector3 {
  const stored: [number, number, number] = [0, 0, 0];
  for (const axis of [0, 1, 2] as const) {
    const at = transform.storedAxis[axis];
    stored[at] = transform.flipped[axis] ? shape[at] - 1 - index[axis] : index[axis];
  }
  const [i, j, k] = stored;
  const [x, y, z] = affine.map((row) => row[0] * i + row[1] * j + row[2] * k + row[3]);
  return [x!, y!, z!];
}

/** The canonical voxel index at a RAS+ position: `positionOf` undone. */
export function indexAt(placed: Placed, position: Vector3): Vector3 {
  const origin = positionOf(placed, [0, 0, 0]);
  const step = (axis: 0 | 1 | 2): Vector3 => {
    const unit: [number, number, number] = [0, 0, 0];
    unit[axis] = 1;
    return minus(positionOf(placed, unit), origin);
  };
  const [a, b, c] = [step(0), step(1), step(2)];
  const to = minus(position, origin);
  // Cramer's rule: the axes are close to right angles, so the determinant is far from 0.
  const volume = triple(a, b, c);
  return [triple(to, b, c) / volume, triple(a, to, c) / volume, triple(a, b, to) / volume];
}

const minus = (a: Vector3, b: Vector3): Vector3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

const triple = (a: Vector3, b: Vector3, c: Vector3): number =>
  a[0] * (b[1] * c[2] - b[2] * c[1]) +
  a[1] * (b[2] * c[0] - b[0] * c[2]) +
  a[2] * (b[0] * c[1] - b[1] * c[0]);
