import type { Raster } from './png.ts';

/** Three columns and five rows per glyph; every octal digit is a row, its highest bit to the left. */
const GLYPHS: Readonly<Record<string, string>> = {
  '0': '75557',
  '1': '26227',
  '2': '71747',
  '3': '71717',
  '4': '55711',
  '5': '74717',
  '6': '74757',
  '7': '71122',
  '8': '75757',
  '9': '75717',
  A: '25755',
  B: '65656',
  C: '74447',
  D: '65556',
  E: '74747',
  I: '72227',
  K: '55655',
  L: '44447',
  M: '57755',
  O: '75557',
  P: '75744',
  R: '65655',
  S: '34216',
  U: '55557',
  X: '55255',
  '.': '00002',
  '-': '00700',
};

const COLUMNS = 3;
const ROWS = 5;

export const textWidthPx = (text: string, scale: number): number =>
  text.length * (COLUMNS + 1) * scale;

/** Writes capitals, digits, `.` and `-`; any other character leaves a space. */
export function drawText(
  raster: Raster,
  text: string,
  left: number,
  top: number,
  scale: number,
  rgb: readonly [number, number, number],
): void {
  [...text].forEach((character, n) => {
    const glyph = GLYPHS[character] ?? '00000';
    for (let row = 0; row < ROWS * scale; row += 1) {
      const bits = Number(glyph[Math.floor(row / scale)]);
      for (let column = 0; column < COLUMNS * scale; column += 1) {
        if (((bits >> (2 - Math.floor(column / scale))) & 1) === 0) continue;
        const x = left + n * (COLUMNS + 1) * scale + column;
        raster.rgb.set(rgb, ((top + row) * raster.width + x) * 3);
      }
    }
  });
}
