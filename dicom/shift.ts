interface PlaneSize {
  readonly columns: number;
  readonly rows: number;
}

/**
 * A plane seen through a window of another size: value (column, row) of the result lies at
 * (column + shiftPx.column, row + shiftPx.row) of the plane, bilinear between its pixels; `fill` where
 * that is outside.
 */
export function shiftPlane(
  values: Float32Array,
  from: PlaneSize,
  to: PlaneSize,
  shiftPx: { readonly column: number; readonly row: number },
  fill: number,
): Float32Array {
  const same = from.columns === to.columns && from.rows === to.rows;
  if (same && shiftPx.column === 0 && shiftPx.row === 0) return values;
  const across = shiftLines(
    values,
    { length: from.columns, lines: from.rows, step: 1, lineStep: from.columns },
    { length: to.columns, step: 1, lineStep: to.columns },
    shiftPx.column,
    fill,
  );
  return shiftLines(
    across,
    { length: from.rows, lines: to.columns, step: to.columns, lineStep: 1 },
    { length: to.rows, step: to.columns, lineStep: 1 },
    shiftPx.row,
    fill,
  );
}

interface Lines {
  /** Values of a line. */
  readonly length: number;
  /** From a value to the next of its line, and from a line to the next. */
  readonly step: number;
  readonly lineStep: number;
}

function shiftLines(
  values: Float32Array,
  from: Lines & { readonly lines: number },
  to: Lines,
  shift: number,
  fill: number,
): Float32Array {
  const whole = Math.floor(shift + 1e-6);
  const share = Math.abs(shift - whole) < 1e-6 ? 0 : shift - whole;
  const out = new Float32Array(from.lines * to.length).fill(fill);
  for (let n = 0; n < to.length; n++) {
    const source = n + whole;
    if (source < 0 || source + (share > 0 ? 1 : 0) >= from.length) continue;
    for (let line = 0; line < from.lines; line++) {
      const at = line * from.lineStep + source * from.step;
      const value = values[at]!;
      out[line * to.lineStep + n * to.step] =
        share === 0 ? value : value + (values[at + from.step]! - value) * share;
    }
  }
  return out;
}
