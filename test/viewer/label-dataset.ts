import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { readFile } from '../../cli/files.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { temporaryFolder } from '../support/case.ts';

export const phantom = phantomCase({ seed: 3, columns: 96, rows: 80, slices: 12 });

/** One scan and no label. */
export async function dataset(): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(path.join(root, 'imagesTr'));
  await writeFile(path.join(root, 'imagesTr', 'one_0000.nii'), encodePhantom(phantom).ct);
  return root;
}

export const OPTIONS = { target: 'liver', order: 'next', seed: 0, slices: 4, port: 0 } as const;

export const ready = (page: Page) => page.waitForSelector('body[data-state=ready]');
export const text = async (page: Page, id: string) =>
  (await page.locator(`#${id}`).textContent()) ?? '';

/** Where a voxel is on the screen, as the page fits the slice. */
export async function placeOf(page: Page, column: number, row: number) {
  const { x, y, width, height } = (await page.locator('#canvas').boundingBox())!;
  const { columns, rows, spacingMm: mm } = phantom.grid;
  const perMm = Math.min(width / (columns * mm.column), height / (rows * mm.row));
  return {
    x: x + width / 2 + ((column + 0.5) * mm.column - (columns * mm.column) / 2) * perMm,
    y: y + height / 2 + ((row + 0.5) * mm.row - (rows * mm.row) / 2) * perMm,
  };
}

/** Of a slice of the label that was written: rows x columns. */
export async function labelled(root: string, slice: number): Promise<Float32Array> {
  const file = path.join(root, 'labelsTr', 'one.nii.gz');
  const reader = await openNifti(readFile(file), { subject: file });
  for await (const { index, hu } of reader.axialSlices()) if (index === slice) return hu.slice();
  throw new Error(`no slice ${slice} in ${file}`);
}
