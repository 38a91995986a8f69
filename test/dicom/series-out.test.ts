import { describe, expect, it } from 'vitest';
import { cutCorners, traceContours } from '../../core/draw/contour.ts';
import { createHeader } from '../../core/volume/encode.ts';
import { serialiseHeader } from '../../core/volume/header.ts';
import type { MaskFrame } from '../../dicom/mask-frames.ts';
import { maskFrames } from '../../dicom/mask-frames.ts';
import { dicomSegmentation, ds } from '../../dicom/segmentation.ts';
import { withoutHoles } from '../../dicom/structure-set.ts';
import { planVolume, type VolumePlan } from '../../dicom/volume.ts';
import { filesOf, readSeries } from './golden.ts';

async function planOf(name: string): Promise<VolumePlan> {
  const { stacks } = await readSeries(await filesOf(name));
  return planVolume(stacks[0]!, name);
}

async function* maskFile(plan: VolumePlan, inside: (mm: readonly number[]) => boolean) {
  const { columns, rows, slices, affine } = plan;
  yield serialiseHeader(createHeader({ shape: [columns, rows, slices], dtype: 'uint8', affine }));
  for (let k = 0; k < slices; k++) {
    const plane = new Uint8Array(columns * rows);
    for (let at = 0; at < plane.length; at++) {
      const index = [at % columns, Math.floor(at / columns), k];
      const ras = affine
        .slice(0, 3)
        .map((row) => row[3] + index.reduce((sum, n, c) => sum + row[c]! * n, 0));
      plane[at] = inside([-ras[0]!, -ras[1]!, ras[2]!]) ? 1 : 0;
    }
    yield plane;
  }
}

/** A ball about the middle of the volume, in LPS millimetres. */
function ball({ affine, columns, rows, slices }: VolumePlan): (mm: readonly number[]) => boolean {
  const middle = affine
    .slice(0, 3)
    .map(([x, y, z, o]) => x * (columns / 2) + y * (rows / 2) + z * (slices / 2) + o);
  const centre = [-middle[0]!, -middle[1]!, middle[2]!];
  return (mm) => Math.hypot(...mm.map((value, axis) => value - centre[axis]!)) < 5;
}

/** The ball as the image itself would show it. */
function onImage({ source }: MaskFrame, inside: (mm: readonly number[]) => boolean): Uint8Array {
  const { frame, instance } = source;
  return Uint8Array.from({ length: instance.columns * instance.rows }, (_, at) => {
    const i = (at % instance.columns) * frame.spacingMm!.column;
    const j = Math.floor(at / instance.columns) * frame.spacingMm!.row;
    const mm = frame.positionMm!.map(
      (value, axis) => value + i * frame.columnDirection![axis]! + j * frame.rowDirection![axis]!,
    );
    return inside(mm) ? 1 : 0;
  });
}

describe('a mask goes back to the images of its series', () => {
  it.each([
    ['shuffled', 1],
    ['enhanced-native', 1],
    ['tilted', 0.96],
    ['table-moved', 0.96],
    ['uneven', 0.93],
  ])('%s: Dice of at least %s with the same ball on the images', async (name, least) => {
    const plan = await planOf(name);
    const inside = ball(plan);
    let [both, sum] = [0, 0];
    for await (const frame of maskFrames(plan, maskFile(plan, inside), name)) {
      const truth = onImage(frame, inside);
      frame.mask.forEach((set, at) => {
        both += set & truth[at]!;
        sum += set + truth[at]!;
      });
    }
    expect(sum).toBeGreaterThan(500);
    expect((2 * both) / sum).toBeGreaterThanOrEqual(least);
  });

  it('refuses a mask of another grid', async () => {
    const [plan, other] = [await planOf('shuffled'), await planOf('tilted')];
    const frames = maskFrames(
      plan,
      maskFile(other, () => true),
      'other.nii',
    );
    await expect(frames.next()).rejects.toThrow(/24 x 20 x 6 voxels on the grid of the series/);
  });

  it('makes no object of an empty mask', async () => {
    const plan = await planOf('shuffled');
    const frames = maskFrames(
      plan,
      maskFile(plan, () => false),
      'empty',
    );
    const algorithm = { version: '1', model: 'm', bundleDigest: 'ab' };
    const derivation = { target: 'liver', runId: 'r', createdAt: new Date(0), algorithm };
    expect(await dicomSegmentation(plan, frames, derivation)).toBeUndefined();
  });
});

describe('contours', () => {
  it('carry their holes without changing the area', () => {
    const [width, height] = [20, 20];
    const mask = Uint8Array.from({ length: width * height }, (_, at) => {
      const [x, y] = [at % width, Math.floor(at / width)];
      const ring = Math.hypot(x - 9, y - 9);
      return (ring < 9 && ring > 5) || (ring < 3 && ring > 1) ? 1 : 0;
    });
    const contours = traceContours(mask, width, height).map(cutCorners);
    const area = (all: readonly (readonly number[])[]) =>
      all.reduce((sum, one) => sum + signedArea(one), 0);
    const joined = withoutHoles(contours);
    expect(contours.length).toBe(4);
    expect(joined.length).toBe(2);
    expect(area(joined)).toBeCloseTo(area(contours), 9);
  });

  it('write numbers of at most 16 characters', () => {
    for (const value of [1 / 3, -1234.567890123456, 1e-12, -0.000000123, 123456789.12345678]) {
      expect(ds(value).length).toBeLessThanOrEqual(16);
      expect(Number(ds(value))).toBeCloseTo(value, Math.abs(value) > 1e6 ? 2 : 8);
    }
  });
});

/** The shoelace formula. */
const signedArea = (contour: readonly number[]): number =>
  contour.reduce((sum, value, n) => {
    if (n % 2 === 1) return sum;
    const [nextX, nextY] = [contour[(n + 2) % contour.length]!, contour[(n + 3) % contour.length]!];
    return sum + (value * nextY - nextX * contour[n + 1]!) / 2;
  }, 0);
