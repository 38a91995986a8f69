import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Contour, cutCorners, svgPath, traceContours } from '../../../core/draw/contour.ts';

const mask = (...rows: string[]) =>
  [Uint8Array.from(rows.join(''), (c) => Number(c === '#')), rows[0]!.length, rows.length] as const;

const randomMask = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
  .chain(([width, height]) =>
    fc
      .array(fc.integer({ min: 0, max: 1 }), {
        minLength: width * height,
        maxLength: width * height,
      })
      .map((bits) => [Uint8Array.from(bits), width, height] as const),
  );

/** Even-odd fill at pixel centres: counts the vertical edges to the left of each pixel. */
function refill(contours: readonly Contour[], width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, index) => {
    const x = index % width;
    const y = Math.floor(index / width) + 0.5;
    let crossings = 0;
    for (const contour of contours) {
      for (let n = 0; n < contour.length; n += 2) {
        const next = (n + 2) % contour.length;
        const [y0, y1] = [contour[n + 1]!, contour[next + 1]!];
        if (contour[n]! <= x && y > Math.min(y0, y1) && y < Math.max(y0, y1)) crossings += 1;
      }
    }
    return crossings % 2;
  });
}

describe('traceContours', () => {
  it('finds nothing in an empty image', () => {
    expect(traceContours(...mask('...', '...'))).toEqual([]);
  });

  it('traces a rectangle by its four corners, clockwise', () => {
    const contours = traceContours(...mask('.....', '.###.', '.###.', '.....'));
    expect(contours).toEqual([[1, 1, 4, 1, 4, 3, 1, 3]]);
  });

  it('traces an image that is full up to its border', () => {
    expect(traceContours(...mask('##', '##', '##'))).toEqual([[0, 0, 2, 0, 2, 3, 0, 3]]);
  });

  it('traces a hole the other way round', () => {
    const contours = traceContours(...mask('###', '#.#', '###'));
    expect(contours.map(signedArea)).toEqual([9, -1]);
  });

  it('keeps pixels apart that touch at a corner', () => {
    const contours = traceContours(...mask('#.', '.#'));
    expect(contours).toEqual([
      [0, 0, 1, 0, 1, 1, 0, 1],
      [1, 1, 2, 1, 2, 2, 1, 2],
    ]);
  });

  it('encloses as much area as there are pixels', () => {
    fc.assert(
      fc.property(randomMask, ([data, width, height]) => {
        const area = traceContours(data, width, height).reduce((sum, c) => sum + signedArea(c), 0);
        return area === data.reduce((sum, value) => sum + value, 0);
      }),
    );
  });

  it('gives the image back when filled', () => {
    fc.assert(
      fc.property(randomMask, ([data, width, height]) => {
        expect(refill(traceContours(data, width, height), width, height)).toEqual(data);
      }),
    );
  });
});

describe('cutCorners', () => {
  it('takes an eighth of a pixel off every corner', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), (w, h) => {
        expect(signedArea(cutCorners([0, 0, w, 0, w, h, 0, h]))).toBeCloseTo(w * h - 0.5, 10);
      }),
    );
  });

  it('follows a disc to within half a pixel of its circle', () => {
    const size = 64;
    const radius = 25.3;
    const data = Uint8Array.from({ length: size * size }, (_, index) => {
      const distance = Math.hypot((index % size) + 0.5 - 32, Math.floor(index / size) + 0.5 - 32);
      return Number(distance <= radius);
    });
    const [contour, ...others] = traceContours(data, size, size).map(cutCorners);
    expect(others).toEqual([]);
    for (let n = 0; n < contour!.length; n += 2) {
      const distance = Math.hypot(contour![n]! - 32, contour![n + 1]! - 32);
      expect(Math.abs(distance - radius)).toBeLessThan(0.72);
    }
    const share = signedArea(contour!) / (Math.PI * radius ** 2);
    expect(Math.abs(share - 1)).toBeLessThan(0.01);
  });
});

describe('svgPath', () => {
  it('writes whole half pixels, each contour closed', () => {
    const path = svgPath(traceContours(...mask('....', '.##.', '....')));
    expect(path).toBe('M3 2l2 0 1 1 -1 1 -2 0 -1 -1z');
  });
});

/** Area in pixels by the shoelace formula: positive for outer boundaries, negative for holes. */
function signedArea(contour: readonly number[]): number {
  let twice = 0;
  for (let n = 0; n < contour.length; n += 2) {
    const next = (n + 2) % contour.length;
    twice += contour[n]! * contour[next + 1]! - contour[next]! * contour[n + 1]!;
  }
  return twice / 2;
}
