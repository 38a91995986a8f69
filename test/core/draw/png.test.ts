import fc from 'fast-check';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../../core/draw/png.ts';

/** What an independent decoder reads, without the alpha that it adds. */
const decoded = (png: Uint8Array) => {
  const { width, height, data } = PNG.sync.read(Buffer.from(png));
  return { width, height, rgb: Uint8Array.from(data.filter((_, n) => n % 4 < 3)) };
};

describe('encodePng', () => {
  const side = fc.integer({ min: 1, max: 40 });
  const pictures = fc
    .record({ width: side, height: side, colour: fc.constantFrom('grey' as const, 'rgb' as const) })
    .chain(({ width, height, colour }) => {
      const length = width * height * (colour === 'grey' ? 1 : 3);
      return fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        colour: fc.constant(colour),
        samples: fc.uint8Array({ minLength: length, maxLength: length }),
      });
    });

  it('comes back sample for sample from pngjs', () => {
    fc.assert(
      fc.property(pictures, ({ width, height, colour, samples }) => {
        const back = decoded(encodePng(samples, width, height, colour));
        expect([back.width, back.height]).toEqual([width, height]);
        const expected = colour === 'rgb' ? samples : grey(samples);
        expect(Buffer.compare(back.rgb, expected)).toBe(0);
      }),
    );
  });

  it('gives the same bytes for the same picture', () => {
    const samples = Uint8Array.from({ length: 300 }, (_, n) => (n * 37) % 256);
    expect(encodePng(samples, 10, 10, 'rgb')).toEqual(encodePng(samples, 10, 10, 'rgb'));
  });
});

/** Three equal channels. */
const grey = (samples: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: samples.length * 3 }, (_, n) => samples[Math.floor(n / 3)]!);
