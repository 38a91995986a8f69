import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeActivations,
  decodeImages,
  decodeMasks,
  encodeMasks,
  greySlice,
} from '../../../core/slice/slab-codec.ts';

describe('slab codec', () => {
  const masks = fc
    .tuple(fc.integer({ min: 1, max: 21 }), fc.integer({ min: 1, max: 21 }))
    .chain(([rows, columns]) => {
      const bits = (length: number) =>
        fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: length, maxLength: length });
      return fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        slices: fc.array(fc.record({ mask: bits(rows * columns), cam: bits(36) }), {
          maxLength: 4,
        }),
      });
    });

  it('gives back every mask, whatever its size', () => {
    fc.assert(
      fc.property(masks, ({ rows, columns, slices }) => {
        const given = slices.map(({ mask, cam }) => ({
          mask: Uint8Array.from(mask),
          cam: Uint8Array.from(cam),
        }));
        const activations = given.map((_, at) => new Float32Array(4).fill(at / 3));
        const records = {
          camGridPx: 2,
          slices: given.map((_, index) => ({ ...RECORD, index: index + 5 })),
        };
        const manifest = {
          geometry: { grid: { rows, columns } },
          letterbox: { sizePx: 6 },
        } as unknown as Parameters<typeof decodeMasks>[2];
        const bytes = encodeMasks(activations, given);
        const back = decodeMasks(bytes, records, manifest);
        expect([...back.keys()]).toEqual(records.slices.map(({ index }) => index));
        given.forEach((slice, at) => {
          const packed = back.get(at + 5)!;
          expect({ mask: packed.mask(), cam: packed.cam() }).toEqual(slice);
        });
        expect([...decodeActivations(bytes, records)]).toEqual(activations.flatMap((a) => [...a]));
      }),
    );
  });

  it('reads images as shares of the full scale, and as grey', () => {
    const values = Uint16Array.from({ length: 2 * 9 }, (_, at) => (at * 3855) % 65536);
    const stored = new Uint8Array(37);
    stored.set(new Uint8Array(values.buffer), 1);
    // An odd offset, as a slice of a larger read has it.
    const images = decodeImages(stored.subarray(1));
    expect(images).toEqual(Float32Array.from(values, (value) => value / 65535));
    const grey = greySlice(stored.subarray(1), 1, 3);
    expect(grey).toEqual(Uint8Array.from(values.subarray(9), (v) => Math.round(v / 257)));
  });

  const RECORD = {
    probability: 1,
    camAreaPx: 1,
    camEmpty: false,
    box: [0, 0, 1, 1] as [number, number, number, number],
    predictedIou: 1,
    camMaskIou: 1,
    maskVoxels: 1,
  };
});
