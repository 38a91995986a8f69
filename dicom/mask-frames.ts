import { InputError } from '../core/errors.ts';
import type { ByteStream } from '../core/ports.ts';
import type { ByteReader } from '../core/volume/byte-reader.ts';
import { headerSize, parseHeader, SMALLEST_HEADER_BYTES } from '../core/volume/header.ts';
import { inflated } from '../core/volume/reader.ts';
import type { SliceSource } from './series.ts';
import { shiftPlane } from './shift.ts';
import type { PlacedSlice, VolumePlan } from './volume.ts';

/** The mask on one image of the series. */
export interface MaskFrame {
  readonly source: SliceSource;
  /** 0 or 1, rows x columns of the image. */
  readonly mask: Uint8Array;
}

/**
 * A mask of the volume back on the images that the volume was made of: as it is where images are the
 * volume's slices; where they were shifted or interpolated the mask is too, and cut at one half.
 *
 * @param mask a NIfTI file on the volume's grid, 8 bits a voxel, as `writeMask` makes it
 * @throws InputError `mask-differs`, and those of `parseHeader` and `gunzip`
 */
export async function* maskFrames(
  plan: VolumePlan,
  mask: ByteStream,
  subject: string,
): AsyncGenerator<MaskFrame, void, undefined> {
  const { bytes } = await inflated(mask, subject);
  try {
    await passHeader(bytes, plan, subject);
    const planes = new Planes(bytes, plan, subject);
    for (const [n, placed] of plan.placed.entries()) {
      const at = plan.asStored ? n : placed.alongMm / plan.spacingMm.slice;
      yield { source: placed.source, mask: await onImage(planes, at, placed, plan) };
    }
  } finally {
    await bytes.close();
  }
}

async function passHeader(bytes: ByteReader, plan: VolumePlan, subject: string): Promise<void> {
  const start = await bytes.peek(SMALLEST_HEADER_BYTES);
  const fixed = await bytes.read(headerSize(start, subject));
  const header = parseHeader(fixed, subject);
  const { columns, rows, slices, affine } = plan;
  const shape = header.dim.slice(1, 4).join(' x ');
  const placed = affine.slice(0, 3).flat();
  const same =
    shape === [columns, rows, slices].join(' x ') &&
    header.dtype === 'uint8' &&
    header.srow.every((value, n) => Math.abs(value - placed[n]!) < 1e-3);
  if (!same)
    throw new InputError({
      code: 'mask-differs',
      subject,
      expected: `an 8-bit mask of ${columns} x ${rows} x ${slices} voxels on the grid of the series`,
      found: `${header.dtype} of ${shape}, or another affine`,
      remedy: 'Use the mask that was drawn on this very series.',
    });
  await bytes.read(header.voxOffset - fixed.byteLength);
}

/** Slices of the mask in ascending order; the last two are held. */
class Planes {
  private readonly bytes: ByteReader;
  private readonly size: number;
  private readonly slices: number;
  private readonly subject: string;
  private readonly held = new Map<number, Uint8Array>();
  private next = 0;

  constructor(bytes: ByteReader, { columns, rows, slices }: VolumePlan, subject: string) {
    this.bytes = bytes;
    this.size = columns * rows;
    this.slices = slices;
    this.subject = subject;
  }

  async at(k: number): Promise<Uint8Array> {
    const wanted = Math.min(k, this.slices - 1);
    while (this.next <= wanted) {
      const plane = await this.bytes.read(this.size);
      if (plane.byteLength < this.size) throw shortMask(this.subject);
      this.held.set(this.next, plane);
      this.held.delete(this.next - 2);
      this.next += 1;
    }
    return this.held.get(wanted)!;
  }
}

const shortMask = (subject: string): InputError =>
  new InputError({
    code: 'truncated-data',
    subject,
    expected: 'a voxel for every voxel of the volume',
    found: 'an end before the last slice',
    remedy: 'Run the case again.',
  });

async function onImage(
  planes: Planes,
  at: number,
  { source, shiftPx }: PlacedSlice,
  plan: VolumePlan,
): Promise<Uint8Array> {
  const below = Math.floor(at + 1e-6);
  const share = Math.abs(at - below) < 1e-6 ? 0 : at - below;
  const plane = await planes.at(below);
  if (plan.asStored) return plane;
  const above = share === 0 ? plane : await planes.at(below + 1);
  const mixed = Float32Array.from(plane, (value, n) => value + (above[n]! - value) * share);
  const back = { column: -shiftPx.column, row: -shiftPx.row };
  const shifted = shiftPlane(mixed, plan, source.instance, back, 0);
  return Uint8Array.from(shifted, (value) => (value >= 0.5 ? 1 : 0));
}
