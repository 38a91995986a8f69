import { surfels } from '../metrics/surface-points.ts';
import type { Affine } from '../volume/affine.ts';
import type { MaskVolume, VoxelBox } from '../volume/grid.ts';
import { boundingBox, countSet } from './bounds.ts';

/** A closed surface of triangles, their corners counter-clockwise seen from outside. */
export interface SurfaceMesh {
  /** x, y, z of each corner. */
  readonly positions: Float64Array;
  /** Three corners of each triangle. */
  readonly triangles: Uint32Array;
}

/** Taubin's pair: it smooths without shrinking what is larger than a few voxels. */
const SMOOTHING = { rounds: 15, inwards: 0.5, outwards: -0.53 } as const;

/**
 * The smoothed surface of a mask, whose enclosed volume is that of the mask's voxels: surface nets
 * (Gibson 1998: one corner for every 2x2x2 neighbourhood that the surface passes, in the middle of the
 * crossed edges), Taubin's smoothing, and a last scaling about the centre by the small rest.
 *
 * @param affine of the canonical grid, voxel index to millimetres; the result is in its space
 * @returns undefined for an empty mask
 */
export function maskMesh(mask: MaskVolume, affine: Affine): SurfaceMesh | undefined {
  const box = boundingBox(mask);
  if (!box) return undefined;
  const net = surfaceNet(wellComposed(mask), box);
  const positions = inMillimetres(net.positions, affine);
  const mesh = { positions, triangles: outwards(positions, net.triangles) };
  smooth(mesh);
  const { column, row, slice } = mask.grid.spacingMm;
  scaleTo(mesh, countSet(mask.data) * column * row * slice);
  return mesh;
}

/**
 * A copy in which no two voxels touch along an edge alone, a voxel between them being added: there four
 * faces would meet and the surface would not be one (Latecki 1995).
 */
function wellComposed({ grid, data }: MaskVolume): MaskVolume {
  const { columns, rows, slices } = grid;
  const out = data.slice();
  const area = columns * rows;
  for (let changed = true; changed; ) {
    changed = false;
    for (let k = 0, at = 0; k < slices; k++)
      for (let j = 0; j < rows; j++)
        for (let i = 0; i < columns; i++, at++) {
          if (i + 1 < columns && j + 1 < rows) changed = joined(out, at, 1, columns) || changed;
          if (k + 1 === slices) continue;
          if (i + 1 < columns) changed = joined(out, at, 1, area) || changed;
          if (j + 1 < rows) changed = joined(out, at, columns, area) || changed;
        }
  }
  return { grid, data: out };
}

/** Adds a voxel where of a square of four only two at opposite corners are set. */
function joined(data: Uint8Array, at: number, right: number, down: number): boolean {
  const first = data[at]!;
  const second = data[at + right]!;
  if (first === second || data[at + down] !== second || data[at + right + down] !== first)
    return false;
  data[first === 0 ? at : at + right] = 1;
  return true;
}

interface Net {
  /** Voxel indices of the corners. */
  readonly positions: number[];
  readonly triangles: number[];
}

/** Bits of a neighbourhood's code: the voxel before on all axes, and its three neighbours. */
const BEFORE = 128;
const NEXT_COLUMN = 64;
const NEXT_ROW = 32;
const NEXT_SLICE = 8;

function surfaceNet(mask: MaskVolume, box: VoxelBox): Net {
  const cells = surfels(mask, box);
  const { columns: width } = cells;
  const positions: number[] = [];
  const triangles: number[] = [];
  // Numbers of the corners in this slice of neighbourhoods and in the one before it.
  let here = new Int32Array(width * cells.rows);
  let before = new Int32Array(here.length);
  for (let k = 0; k < cells.slices; k++) {
    [before, here] = [here, before];
    for (let n = cells.sliceOffset[k]!; n < cells.sliceOffset[k + 1]!; n++) {
      const at = cells.position[n]!;
      const code = cells.code[n]!;
      const [column, row, slice] = CENTRES[code]!;
      here[at] = positions.length / 3;
      positions.push(
        box.columnStart + (at % width) + column,
        box.rowStart + Math.floor(at / width) + row,
        box.sliceStart + k + slice,
      );
      // Four neighbourhoods share a face between two voxels; the last of them draws it.
      const face = (next: number, corners: readonly [number, number, number, number]): void => {
        const first = (code & BEFORE) !== 0;
        if (first !== ((code & next) !== 0)) addFace(triangles, corners, first);
      };
      face(NEXT_SLICE, [here[at - width - 1]!, here[at - width]!, here[at]!, here[at - 1]!]);
      face(NEXT_COLUMN, [before[at - width]!, before[at]!, here[at]!, here[at - width]!]);
      face(NEXT_ROW, [before[at - 1]!, here[at - 1]!, here[at]!, before[at]!]);
    }
  }
  return { positions, triangles };
}

function addFace(
  triangles: number[],
  [a, b, c, d]: readonly [number, number, number, number],
  firstInside: boolean,
): void {
  if (firstInside) triangles.push(a, b, c, a, c, d);
  else triangles.push(a, c, b, a, d, c);
}

/** Of every code, the middle of the crossed edges, from the voxel after the corner on all axes. */
const CENTRES: readonly (readonly [number, number, number])[] = Array.from(
  { length: 256 },
  (_, code) => {
    const inside = (offset: number): boolean => (code & (BEFORE >> offset)) !== 0;
    const sum: [number, number, number] = [0, 0, 0];
    let crossed = 0;
    for (let a = 0; a < 8; a++)
      for (const bit of [1, 2, 4]) {
        const b = a | bit;
        if (a === b || inside(a) === inside(b)) continue;
        crossed += 1;
        for (const axis of [0, 1, 2] as const)
          sum[axis] += (((a >> axis) & 1) + ((b >> axis) & 1)) / 2 - 1;
      }
    return [sum[0] / crossed, sum[1] / crossed, sum[2] / crossed];
  },
);

function inMillimetres(indices: readonly number[], affine: Affine): Float64Array {
  const positions = new Float64Array(indices.length);
  for (let n = 0; n < indices.length; n += 3)
    for (const axis of [0, 1, 2] as const) {
      const [x, y, z, origin] = affine[axis];
      positions[n + axis] = x * indices[n]! + y * indices[n + 1]! + z * indices[n + 2]! + origin;
    }
  return positions;
}

/** Turned over where the affine mirrors. */
function outwards(positions: Float64Array, triangles: readonly number[]): Uint32Array {
  const turned = Uint32Array.from(triangles);
  if (signedVolume({ positions, triangles: turned }) >= 0) return turned;
  for (let n = 0; n < turned.length; n += 3)
    [turned[n + 1], turned[n + 2]] = [turned[n + 2]!, turned[n + 1]!];
  return turned;
}

/** By the divergence theorem; positive where triangles look outwards. */
export function signedVolume({ positions: p, triangles }: SurfaceMesh): number {
  let six = 0;
  for (let n = 0; n < triangles.length; n += 3) {
    const [a, b, c] = [triangles[n]! * 3, triangles[n + 1]! * 3, triangles[n + 2]! * 3];
    six +=
      p[a]! * (p[b + 1]! * p[c + 2]! - p[b + 2]! * p[c + 1]!) +
      p[a + 1]! * (p[b + 2]! * p[c]! - p[b]! * p[c + 2]!) +
      p[a + 2]! * (p[b]! * p[c + 1]! - p[b + 1]! * p[c]!);
  }
  return six / 6;
}

function smooth({ positions, triangles }: SurfaceMesh): void {
  const sums = new Float64Array(positions.length);
  const counts = new Uint32Array(positions.length / 3);
  for (let round = 0; round < SMOOTHING.rounds; round++)
    for (const share of [SMOOTHING.inwards, SMOOTHING.outwards]) {
      sums.fill(0);
      counts.fill(0);
      // Each edge belongs to two triangles, once in each direction: every neighbour counts once.
      for (let n = 0; n < triangles.length; n++) {
        const from = triangles[n]!;
        const to = triangles[n % 3 === 2 ? n - 2 : n + 1]!;
        counts[from]! += 1;
        for (let axis = 0; axis < 3; axis++) sums[from * 3 + axis]! += positions[to * 3 + axis]!;
      }
      for (let n = 0; n < positions.length; n++) {
        const mean = sums[n]! / counts[Math.floor(n / 3)]!;
        positions[n]! += (mean - positions[n]!) * share;
      }
    }
}

function scaleTo(mesh: SurfaceMesh, volumeMm3: number): void {
  const { positions } = mesh;
  const by = Math.cbrt(volumeMm3 / signedVolume(mesh));
  const centre = [0, 1, 2].map((axis) => {
    let sum = 0;
    for (let n = axis; n < positions.length; n += 3) sum += positions[n]!;
    return sum / (positions.length / 3);
  });
  for (let n = 0; n < positions.length; n++)
    positions[n] = centre[n % 3]! + (positions[n]! - centre[n % 3]!) * by;
}
