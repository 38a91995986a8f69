import type { Affine, AffineRow } from './affine.ts';
import type { Geometry } from './geometry.ts';
import type { Vector3 } from './matrix3.ts';

type Placed = Pick<Geometry, 'affine' | 'shape' | 'transform'>;

/**
 * The canonical grid in the patient: voxel index (column, row, slice; fractions lie between voxel
 * centres) to RAS+ position, in the units of the header's affine, millimetres unless it says otherwise.
 */
export function canonicalAffine({ affine, shape, transform }: Placed): Affine {
  const row = (along: AffineRow): AffineRow => {
    const steps = ([0, 1, 2] as const).map((axis) => {
      const stored = transform.storedAxis[axis];
      return transform.flipped[axis] ? -along[stored]! : along[stored]!;
    });
    const origin = ([0, 1, 2] as const).reduce((sum, axis) => {
      const stored = transform.storedAxis[axis];
      return transform.flipped[axis] ? sum + along[stored]! * (shape[stored] - 1) : sum;
    }, along[3]);
    return [steps[0]!, steps[1]!, steps[2]!, origin];
  };
  return [row(affine[0]), row(affine[1]), row(affine[2]), [0, 0, 0, 1]];
}

/** RAS+ position of a canonical voxel index. */
export function positionOf(placed: Placed, [i, j, k]: Vector3): Vector3 {
  const [x, y, z] = canonicalAffine(placed).map(
    ([a, b, c, origin]) => a * i + b * j + c * k + origin,
  );
  return [x!, y!, z!];
}

/** The canonical voxel index at a RAS+ position: `positionOf` undone. */
export function indexAt(placed: Placed, position: Vector3): Vector3 {
  const rows = canonicalAffine(placed);
  const column = (n: 0 | 1 | 2): Vector3 => [rows[0][n], rows[1][n], rows[2][n]];
  const [a, b, c] = [column(0), column(1), column(2)];
  const [x, y, z] = position;
  const to: Vector3 = [x - rows[0][3], y - rows[1][3], z - rows[2][3]];
  // Cramer's rule: the axes are close to right angles, so the determinant is far from 0.
  const volume = triple(a, b, c);
  return [triple(to, b, c) / volume, triple(a, to, c) / volume, triple(a, b, to) / volume];
}

const triple = (a: Vector3, b: Vector3, c: Vector3): number =>
  a[0] * (b[1] * c[2] - b[2] * c[1]) +
  a[1] * (b[2] * c[0] - b[0] * c[2]) +
  a[2] * (b[0] * c[1] - b[1] * c[0]);
