import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import type { Affine } from '../../core/volume/affine.ts';
import { encodeNifti } from '../../core/volume/encode.ts';
import type { Grid } from '../../core/volume/grid.ts';
import { encodePhantom, phantomAffine, phantomCase } from '../../phantom/phantom.ts';
import { TINY_BUNDLE } from '../support/case.ts';

/** The slice that the added flag names: far from the fullest one, where the page opens. */
export const FLAGGED_SLICE = 9;

export interface Cases {
  readonly root: string;
  readonly input: string;
  readonly out: string;
  remove(): Promise<void>;
}

/**
 * Phantoms run through `sammix run` with the tiny bundle: `plain` as scanners store it, `turned` the
 * same patient stored slices first and rows upwards, `cut` a file that ends too early. Each report
 * gets a flag on one slice.
 */
export async function runPhantoms(
  which: readonly ('plain' | 'turned' | 'cut')[] = ['plain', 'turned', 'cut'],
): Promise<Cases> {
  const root = await mkdtemp(path.join(tmpdir(), 'sammix-view-'));
  const [input, out] = [path.join(root, 'in'), path.join(root, 'out')];
  await mkdir(input);
  const phantom = phantomCase({ seed: 11, columns: 72, rows: 56, slices: 24 });
  const { ct, label } = encodePhantom(phantom);
  await writeFile(path.join(input, 'plain_label.nii'), label);
  const files = {
    plain: () => ct,
    turned: () => turned(phantom.hu, phantom.grid),
    cut: () => ct.subarray(0, 9000),
  };
  for (const caseId of which) await writeFile(path.join(input, `${caseId}.nii`), files[caseId]());
  const options = {
    out,
    label: input,
    bundle: TINY_BUNDLE,
    threads: 1,
    slicesPerJob: 32,
    postprocess: true,
    force: false,
  };
  await runCommand([input], options, silentProgress);
  for (const caseId of which)
    if (caseId !== 'cut') await addFlag(path.join(out, caseId, 'report.json'));
  return { root, input, out, remove: () => rm(root, { recursive: true, force: true }) };
}

async function addFlag(file: string): Promise<void> {
  const report = JSON.parse(await readFile(file, 'utf8'));
  const slices = [FLAGGED_SLICE, FLAGGED_SLICE + 1, FLAGGED_SLICE + 4];
  report.flags = [{ code: 'slice-jump', severity: 'review', message: 'The area jumps.', slices }];
  await writeFile(file, JSON.stringify(report));
}

function turned(hu: Int16Array, grid: Grid): Uint8Array {
  const { columns, rows, slices, spacingMm: mm } = grid;
  const stored = new Int16Array(hu.length);
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++)
        stored[(i * rows + (rows - 1 - j)) * slices + k] = hu[(k * rows + j) * columns + i]!;
  const [[, , , x], [, , , y], [, , , z]] = phantomAffine(grid);
  const affine: Affine = [
    [0, 0, -mm.column, x],
    [0, mm.row, 0, y - mm.row * (rows - 1)],
    [mm.slice, 0, 0, z],
    [0, 0, 0, 1],
  ];
  return encodeNifti({ shape: [slices, rows, columns], affine }, stored);
}
