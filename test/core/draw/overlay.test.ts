import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { LAYERS } from '../../../core/draw/layers.ts';
import { drawSlice, renderOverlayPng } from '../../../core/draw/overlay.ts';
import { emptyCoverage, strokeClosed } from '../../../core/draw/stroke.ts';
import { SIZE_PX, samplePicture } from '../report/sample.ts';

const rgbOf = (key: string): number[] => [...LAYERS.find((layer) => layer.key === key)!.rgb];

const pixel = (rgb: Uint8Array, x: number, y: number): number[] => {
  const at = (y * SIZE_PX + x) * 3;
  return [...rgb.subarray(at, at + 3)];
};

describe('strokeClosed', () => {
  const square = [4, 4, 12, 4, 12, 12, 4, 12];

  it('covers the pixels on both sides of a line by half, and none beside them', () => {
    const { amount } = strokeOf([]);
    expect([2, 3, 4, 5].map((y) => amount[y * 16 + 8])).toEqual([0, 0.5, 0.5, 0]);
    expect(amount[8 * 16 + 8]).toBe(0);
  });

  it('draws dashes of the given length along the line', () => {
    const { amount } = strokeOf([3, 5]);
    const top = [4, 5, 6, 7, 8, 9, 10].map((x) => amount[4 * 16 + x]! > 0.25);
    expect(top).toEqual([true, true, true, false, false, false, false]);
  });

  function strokeOf(dash: number[]) {
    const coverage = emptyCoverage(16);
    strokeClosed(coverage, square, 1, dash);
    return coverage;
  }
});

describe('drawSlice', () => {
  it('leaves the image grey away from the layers', () => {
    const picture = samplePicture(5);
    const { rgb } = drawSlice(picture);
    expect(pixel(rgb, 60, 60)).toEqual(Array(3).fill(picture.image[60 * SIZE_PX + 60]));
  });

  it('draws the mask in its colour where its boundary runs', () => {
    const square = new Uint8Array(SIZE_PX * SIZE_PX);
    for (let y = 10; y < 20; y += 1) square.fill(1, y * SIZE_PX + 10, y * SIZE_PX + 20);
    const base = samplePicture(5);
    const picture = samplePicture(5, {
      image: new Uint8Array(SIZE_PX * SIZE_PX),
      record: { ...base.record, box: null },
      cam: null,
      label: null,
      mask: square,
    });
    const { rgb } = drawSlice(picture);
    // A line of 1.5 pixels on the edge between columns 9 and 10 covers three quarters of each.
    const expected = rgbOf('mask').map((value) => Math.round(0.75 * value));
    expect(pixel(rgb, 9, 15)).toEqual(expected);
    expect(pixel(rgb, 10, 15)).toEqual(expected);
    expect(pixel(rgb, 15, 15)).toEqual([0, 0, 0]);
  });
});

describe('renderOverlayPng', () => {
  const pictures = [3, 4, 5, 6, 7].map((index) => samplePicture(index));

  it('lays the slices out in reading order, the first untouched corner of each its own', () => {
    const png = PNG.sync.read(Buffer.from(renderOverlayPng(pictures)));
    expect(png.width).toBe(3 * SIZE_PX + 2 * 2);
    pictures.forEach(({ image }, n) => {
      const x = (n % 3) * (SIZE_PX + 2) + SIZE_PX - 1;
      const y = Math.floor(n / 3) * (SIZE_PX + 2) + SIZE_PX - 1;
      expect(png.data[(y * png.width + x) * 4]).toBe(image.at(-1));
    });
  });

  it('gives the same bytes for the same pictures', () => {
    expect(renderOverlayPng(pictures)).toEqual(renderOverlayPng(pictures));
  });

  it('is a readable image even without a single slice', () => {
    expect(PNG.sync.read(Buffer.from(renderOverlayPng([]))).height).toBeGreaterThan(0);
  });
});
