/**
 * Writes DICOM-SEG and RTSTRUCT of balls in the golden series, and the masks they were made of, for
 * test_out.py: `tsx write-out.ts FOLDER`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createHeader } from '../../../core/volume/encode.ts';
import { serialiseHeader } from '../../../core/volume/header.ts';
import type { Derivation } from '../../../dicom/derived.ts';
import { maskFrames } from '../../../dicom/mask-frames.ts';
import { dicomSegmentation } from '../../../dicom/segmentation.ts';
import { structureSet } from '../../../dicom/structure-set.ts';
import { planVolume, type VolumePlan } from '../../../dicom/volume.ts';
import { filesOf, readSeries } from '../../dicom/golden.ts';

const SERIES = ['shuffled', 'prone', 'rotated', 'tilted', 'uneven', 'enhanced-jpeg-2000', 'japanese'];

const derivation: Derivation = {
    target: 'liver',
  runId: '0123456789abcdef',
  createdAt: new Date('2026-01-02T03:04:05Z'),
  algorithm: { version: '0.1.0', model: 'sam-mix-test', bundleDigest: 'ab'.repeat(32) },
};

/** A ball with a hole along the slices, in millimetres about the middle of the volume. */
export function ballMask({ columns, rows, slices, spacingMm }: VolumePlan): Uint8Array {
  const mask = new Uint8Array(columns * rows * slices);
  for (let k = 0, at = 0; k < slices; k++)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++, at++) {
        const x = (i - columns / 2) * spacingMm.column;
        const y = (j - rows / 2) * spacingMm.row;
        const z = (k - (slices - 1) / 2) * spacingMm.slice;
        const inBall = Math.hypot(x, y, z) < 5.2;
        mask[at] = inBall && Math.hypot(x - 1, y) > 1.3 ? 1 : 0;
      }
  return mask;
}

export async function* maskFile(plan: VolumePlan, mask: Uint8Array) {
  const { columns, rows, slices, affine } = plan;
  yield serialiseHeader(createHeader({ shape: [columns, rows, slices], dtype: 'uint8', affine }));
  yield mask;
}

async function write(folder: string): Promise<void> {
  for (const name of SERIES) {
    const files = await filesOf(name);
    const { stacks } = await readSeries(files);
    const plan = planVolume(stacks[0]!, name);
    const mask = ballMask(plan);
    const out = path.join(folder, name);
    await mkdir(path.join(out, 'series'), { recursive: true });
    for (const file of files)
      await writeFile(
        path.join(out, 'series', path.basename(file.name)),
        await file.read(0, file.bytes),
      );
    const frames = () => maskFrames(plan, maskFile(plan, mask), name);
    await writeFile(
      path.join(out, 'seg.dcm'),
      (await dicomSegmentation(plan, frames(), derivation))!,
    );
    await writeFile(path.join(out, 'rt.dcm'), (await structureSet(plan, frames(), derivation))!);
    const masks: Record<string, number[]> = {};
    for await (const { source, mask: frame } of frames())
      masks[`${source.instance.sopInstanceUid} ${source.frameIndex + 1}`] = [...frame];
    await writeFile(path.join(out, 'masks.json'), JSON.stringify(masks));
  }
}

if (process.argv[1] === import.meta.filename) await write(process.argv[2]!);
