import { ConfigError } from '../core/errors.ts';
import { createRandom, type Random } from '../core/random.ts';
import type { Affine } from '../core/volume/affine.ts';
import { encodeNifti } from '../core/volume/encode.ts';
import { type Grid, voxelCount } from '../core/volume/grid.ts';
import { acquire, smoothNoise } from './acquisition.ts';
import { type Anatomy, drawAnatomy } from './anatomy.ts';
import { type Canvas, MAX_WARP_MM, Tissue } from './canvas.ts';
import { dropLiverIslands, paintLesions, paintLiver, paintLiverVessels } from './liver.ts';
import { paintTrunk } from './trunk.ts';
import { paintViscera } from './viscera.ts';

export interface PhantomOptions {
  /** Non-negative integer; the same seed and shape give the same bytes. */
  readonly seed: number;
  readonly columns?: number;
  readonly rows?: number;
  readonly slices?: number;
  /** Default: a field of view that fits the body (290-400 mm) and a scan length of about 240 mm, drawn by the seed. */
  readonly spacingMm?: Grid['spacingMm'];
}

export interface PhantomCase {
  readonly grid: Grid;
  /** Hounsfield units, canonical order: `hu[(k * rows + j) * columns + i]`. */
  readonly hu: Int16Array;
  /** 0 elsewhere, 1 liver (its vessels included), 2 lesion: the LiTS convention. */
  readonly label: Uint8Array;
}

const SMALLEST_SIDE = 8;
const LARGEST_SIDE = 1024;
/** Height of the middle of the scan, in mm below the top of the liver dome. */
const SCAN_CENTRE_Z_MM = -90;

/**
 * A synthetic abdominal CT with a labelled liver: deterministic, belonging to nobody. Anatomy,
 * contrast phase, lesions and noise are drawn from the seed. With the defaults the scan runs from
 * below the liver to the lungs above it, on 192 x 192 x 56 voxels of about 1.8 x 1.8 x 4.3 mm.
 *
 * @throws ConfigError `bad-phantom-options` for a size, spacing or seed out of range.
 */
export function phantomCase(options: PhantomOptions): PhantomCase {
  checkSeed(options.seed);
  const random = createRandom(options.seed);
  const anatomy = drawAnatomy(random.fork());
  const grid = drawGrid(options, anatomy, random.fork());
  const canvas = emptyCanvas(grid, random.fork());
  paintTrunk(canvas, anatomy);
  paintLiver(canvas, anatomy);
  paintLiverVessels(canvas, anatomy, random.fork());
  paintViscera(canvas, anatomy, random.fork());
  dropLiverIslands(canvas);
  paintLesions(canvas, anatomy, random.fork());
  const label = canvas.tissue.map((tissue) =>
    tissue === Tissue.lesion ? 2 : tissue === Tissue.liver ? 1 : 0,
  );
  const noise = random.fork();
  return { grid, hu: acquire(noise, grid, canvas.hu, noise.uniform(10, 20)), label };
}

function drawGrid(options: PhantomOptions, anatomy: Anatomy, random: Random): Grid {
  const { columns = 192, rows = 192, slices = 56 } = options;
  checkSide('columns', columns);
  checkSide('rows', rows);
  checkSide('slices', slices);
  // The technician fits the field of view to the patient.
  const fieldMm = 2 * anatomy.body.halfWidthMm + random.uniform(14, 70);
  const lengthMm = random.uniform(232, 250);
  const spacingMm = options.spacingMm ?? {
    column: fieldMm / columns,
    row: fieldMm / rows,
    slice: lengthMm / slices,
  };
  for (const [axis, value] of Object.entries(spacingMm)) checkSpacing(axis, value);
  return { columns, rows, slices, spacingMm };
}

function emptyCanvas(grid: Grid, random: Random): Canvas {
  const centred = (count: number, spacing: number) => (-(count - 1) * spacing) / 2;
  const originMm = {
    x: centred(grid.columns, grid.spacingMm.column) + random.uniform(-6, 6),
    y: centred(grid.rows, grid.spacingMm.row) + random.uniform(0, 12),
    z: centred(grid.slices, grid.spacingMm.slice) + SCAN_CENTRE_Z_MM + random.uniform(-6, 6),
  };
  const warp = (): Float32Array => {
    const coarse = smoothNoise(random.fork(), grid, 60);
    const fine = smoothNoise(random.fork(), grid, 26);
    for (let n = 0; n < coarse.length; n += 1) {
      const mm = 4 * coarse[n]! + 1.3 * fine[n]!;
      coarse[n] = Math.min(MAX_WARP_MM, Math.max(-MAX_WARP_MM, mm));
    }
    return coarse;
  };
  return {
    grid,
    originMm,
    hu: new Float32Array(voxelCount(grid)),
    tissue: new Uint8Array(voxelCount(grid)),
    warpMm: { x: warp(), y: warp(), z: warp() },
    grain: smoothNoise(random.fork(), grid, 14),
  };
}

function refuse(subject: string, expected: string, found: unknown): never {
  throw new ConfigError({
    code: 'bad-phantom-options',
    subject: `phantom ${subject}`,
    expected,
    found: String(found),
    remedy: 'Leave it out to get the default.',
  });
}

function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) refuse('seed', 'a non-negative integer', seed);
}

function checkSide(name: string, value: number): void {
  if (!Number.isInteger(value) || value < SMALLEST_SIDE || value > LARGEST_SIDE) {
    refuse(name, `a whole number from ${SMALLEST_SIDE} to ${LARGEST_SIDE}`, value);
  }
}

function checkSpacing(axis: string, value: number): void {
  if (!(value >= 0.1 && value <= 60)) refuse(`${axis} spacing`, '0.1 to 60 mm', value);
}

/** Canonical voxel index to RAS+ mm, the origin in the middle of the volume. */
export function phantomAffine(grid: Grid): Affine {
  const { column, row, slice } = grid.spacingMm;
  const half = (count: number, spacing: number) => ((count - 1) * spacing) / 2;
  return [
    [-column, 0, 0, half(grid.columns, column)],
    [0, -row, 0, half(grid.rows, row)],
    [0, 0, slice, -half(grid.slices, slice)],
    [0, 0, 0, 1],
  ];
}

/** The two files of a phantom as uncompressed `.nii`: int16 HU, and uint8 labels 0, 1, 2. */
export function encodePhantom(phantom: PhantomCase): { ct: Uint8Array; label: Uint8Array } {
  const { grid, hu, label } = phantom;
  const spec = {
    shape: [grid.columns, grid.rows, grid.slices],
    affine: phantomAffine(grid),
    descrip: 'sammix synthetic phantom, no patient',
  };
  return { ct: encodeNifti(spec, hu), label: encodeNifti(spec, label) };
}
