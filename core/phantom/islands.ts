import { type Canvas, Tissue } from './canvas.ts';

const CAVITY_FAT_HU = -98;

/** Carving and neighbours can cut crumbs off: keeps the largest face-connected piece. */
export function dropLiverIslands(canvas: Canvas): void {
  const { columns, rows } = canvas.grid;
  const steps = [1, -1, columns, -columns, columns * rows, -columns * rows];
  const piece = new Int32Array(canvas.tissue.length);
  const sizes = [0];
  for (let seed = 0; seed < piece.length; seed += 1) {
    if (canvas.tissue[seed] !== Tissue.liver || piece[seed] !== 0) continue;
    const id = sizes.length;
    const stack = [seed];
    piece[seed] = id;
    let size = 0;
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      size += 1;
      for (const step of steps) {
        // A step may wrap around a row's end, which matters only where the scan crops the liver.
        const next = index + step;
        if (canvas.tissue[next] !== Tissue.liver || piece[next] !== 0) continue;
        piece[next] = id;
        stack.push(next);
      }
    }
    sizes.push(size);
  }
  const largest = sizes.indexOf(Math.max(...sizes));
  for (let index = 0; index < piece.length; index += 1) {
    if (piece[index] === 0 || piece[index] === largest) continue;
    canvas.tissue[index] = Tissue.cavity;
    canvas.hu[index] = CAVITY_FAT_HU;
  }
}
