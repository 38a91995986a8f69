import type { ByteStream } from '../ports.ts';
import { DTYPES } from './dtype.ts';
import type { Geometry } from './geometry.ts';
import type { CroppedMask, MaskVolume, VoxelBox } from './grid.ts';
import { gzip } from './gzip.ts';
import { type NiftiHeader, serialiseExtensions } from './header.ts';
import { HeaderFields, NIFTI1, NIFTI2 } from './header-layout.ts';
import type { Vector3 } from './matrix3.ts';

export interface MaskOptions {
  /** gzip level 0 to 9, default 6; `null` writes a plain `.nii`. */
  readonly gzipLevel?: number | null;
}

/** A whole mask as the box that is all of it. */
export const wholeMask = (mask: MaskVolume): CroppedMask => ({
  mask,
  box: {
    columnStart: 0,
    columnEnd: mask.grid.columns,
    rowStart: 0,
    rowEnd: mask.grid.rows,
    sliceStart: 0,
    sliceEnd: mask.grid.slices,
  },
});

/**
 * The mask as a NIfTI file on the input's own grid: version, byte order, shape, affines, codes,
 * spacings, units, description and extensions are the input's; voxels are uint8, unscaled. Needs
 * memory for one stored plane besides the box, whatever the orientation. Without a mask every voxel
 * is 0.
 */
export function writeMask(
  header: NiftiHeader,
  geometry: Geometry,
  mask: CroppedMask | undefined,
  { gzipLevel = 6 }: MaskOptions = {},
): ByteStream {
  const plain = maskBytes(header, geometry, mask);
  return gzipLevel === null ? plain : gzip(plain, gzipLevel, 'runs');
}

async function* maskBytes(
  header: NiftiHeader,
  geometry: Geometry,
  mask: CroppedMask | undefined,
): ByteStream {
  yield maskHeader(header);
  yield* storedPlanes(geometry, mask);
}

/** Of 8-bit probabilities: what a voxel is multiplied by. */
const PROBABILITY_SLOPE = 1 / 255;

/**
 * Probabilities as a NIfTI file on the input's own grid, 8 bits a voxel, scaled by 1/255. Where the
 * file's slowest axis is the axial one, a slice at a time is asked for and written; else all of them are
 * held (a byte a voxel).
 *
 * @param sliceAt rows x columns of a canonical slice, times 255; undefined for one that is all 0
 */
export function writeProbabilities(
  header: NiftiHeader,
  geometry: Geometry,
  sliceAt: (index: number) => Promise<Uint8Array | undefined>,
): ByteStream {
  return gzip(probabilityBytes(header, geometry, sliceAt), 6);
}

async function* probabilityBytes(
  header: NiftiHeader,
  geometry: Geometry,
  sliceAt: (index: number) => Promise<Uint8Array | undefined>,
): ByteStream {
  yield maskHeader(header, PROBABILITY_SLOPE);
  const { grid, shape, transform } = geometry;
  const { columns, rows, slices } = grid;
  if (transform.storedAxis[2] !== 2) {
    const data = new Uint8Array(columns * rows * slices);
    for (let k = 0; k < slices; k++) data.set((await sliceAt(k)) ?? [], k * columns * rows);
    return yield* storedPlanes(geometry, wholeMask({ grid, data }));
  }
  const empty = new Uint8Array(columns * rows);
  for (let z = 0; z < slices; z++) {
    const k = transform.flipped[2] ? slices - 1 - z : z;
    const slice = await sliceAt(k);
    if (!slice) {
      yield empty;
      continue;
    }
    const box: VoxelBox = {
      columnStart: 0,
      columnEnd: columns,
      rowStart: 0,
      rowEnd: rows,
      sliceStart: k,
      sliceEnd: k + 1,
    };
    yield plane(shape, storedBox(shape, transform, box), slice, z);
  }
}

/**
 * The input's header bytes with only what describes the voxels changed, always as a single file.
 *
 * @param slope what 8-bit voxels are multiplied by
 */
function maskHeader(header: NiftiHeader, slope = 1): Uint8Array {
  const layout = header.version === 1 ? NIFTI1 : NIFTI2;
  const extensions = serialiseExtensions(header.extensions, header.littleEndian);
  const bytes = new Uint8Array(layout.bytes + extensions.byteLength);
  bytes.set(header.raw);
  bytes.set(extensions, layout.bytes);
  const fields = new HeaderFields(bytes, layout, header.littleEndian);
  fields.setText(layout.magicAt, layout.singleMagic.length, layout.singleMagic);
  fields.set('voxOffset', bytes.byteLength);
  fields.set('datatype', DTYPES.uint8.code);
  fields.set('bitpix', 8);
  fields.set('sclSlope', slope);
  fields.set('sclInter', 0);
  fields.set('calMin', 0);
  fields.set('calMax', 0);
  return bytes;
}

/** Half-open range of a stored axis. */
type Range = readonly [from: number, to: number];

/** The box seen along the stored axes. */
interface StoredBox {
  readonly ranges: readonly [Range, Range, Range];
  /** Index into the box of its first stored voxel, and the step along each stored axis. */
  readonly origin: number;
  readonly steps: Vector3;
}

/** Planes of the two faster stored axes, in the order in which the file holds them. */
async function* storedPlanes(
  { shape, transform }: Geometry,
  cropped: CroppedMask | undefined,
): ByteStream {
  const empty = new Uint8Array(shape[0] * shape[1]);
  if (cropped === undefined) {
    for (let z = 0; z < shape[2]; z++) yield empty;
    return;
  }
  const stored = storedBox(shape, transform, cropped.box);
  const [fromZ, toZ] = stored.ranges[2];
  for (let z = 0; z < shape[2]; z++) {
    yield z < fromZ || z >= toZ ? empty : plane(shape, stored, cropped.mask.data, z);
  }
}

function storedBox(shape: Vector3, transform: Geometry['transform'], box: VoxelBox): StoredBox {
  const canonical: readonly Range[] = [
    [box.columnStart, box.columnEnd],
    [box.rowStart, box.rowEnd],
    [box.sliceStart, box.sliceEnd],
  ];
  const columns = box.columnEnd - box.columnStart;
  const boxSteps = [1, columns, columns * (box.rowEnd - box.rowStart)];
  let origin = 0;
  const along = (stored: 0 | 1 | 2): { range: Range; step: number } => {
    const axis = transform.storedAxis.indexOf(stored);
    const [from, to] = canonical[axis]!;
    const step = boxSteps[axis]!;
    if (!transform.flipped[axis]) return { range: [from, to], step };
    origin += step * (to - from - 1);
    return { range: [shape[stored] - to, shape[stored] - from], step: -step };
  };
  const [x, y, z] = [along(0), along(1), along(2)];
  return { ranges: [x.range, y.range, z.range], steps: [x.step, y.step, z.step], origin };
}

function plane(
  shape: Vector3,
  { ranges, origin, steps }: StoredBox,
  data: Uint8Array,
  z: number,
): Uint8Array {
  const out = new Uint8Array(shape[0] * shape[1]);
  const [[fromX, toX], [fromY, toY], [fromZ]] = ranges;
  for (let y = fromY; y < toY; y++) {
    let from = origin + (z - fromZ) * steps[2] + (y - fromY) * steps[1];
    const end = y * shape[0] + toX;
    for (let to = y * shape[0] + fromX; to < end; to++) {
      out[to] = data[from]!;
      from += steps[0];
    }
  }
  return out;
}
