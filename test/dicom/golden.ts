import { readFileSync } from 'node:fs';
import path from 'node:path';
import { rangedFile } from '../../adapters/ranged-files.ts';
import { zipEntries } from '../../adapters/zip.ts';
import { SammixError } from '../../core/errors.ts';
import type { RangedFile } from '../../core/ports.ts';
import { type Instance, readInstance } from '../../dicom/instance.ts';
import { type SortedSeries, sortSeries } from '../../dicom/series.ts';

/** The series of test/golden/dicom, and what a reader must make of each. */

export interface Truth {
  readonly shape?: readonly number[];
  readonly affine?: readonly (readonly number[])[];
  readonly sha256?: string;
  readonly linear?: boolean;
  readonly spacing?: number;
  readonly slices?: number;
  readonly problems?: readonly string[];
  readonly refused?: string;
  readonly leftAside?: Readonly<Record<string, string>>;
}

const folder = path.resolve(import.meta.dirname, '../golden/dicom');
export const SERIES_ZIP = path.join(folder, 'series.zip');

export const TRUTH: Readonly<Record<string, Truth>> = JSON.parse(
  readFileSync(path.join(folder, 'truth.json'), 'utf8'),
);

export async function filesOf(name: string): Promise<RangedFile[]> {
  return (await zipEntries(await rangedFile(SERIES_ZIP))).filter((file) =>
    file.name.startsWith(`${name}/`),
  );
}

export interface Read extends SortedSeries {
  /** Files that are no DICOM, and those whose header could not be read, with the fault's code. */
  readonly notDicom: readonly string[];
  readonly refused: Readonly<Record<string, string>>;
}

export async function readSeries(files: readonly RangedFile[]): Promise<Read> {
  const instances: Instance[] = [];
  const notDicom: string[] = [];
  const refused: Record<string, string> = {};
  for (const file of files) {
    try {
      const instance = await readInstance(file);
      if (instance) instances.push(instance);
      else notDicom.push(path.basename(file.name));
    } catch (error) {
      if (!(error instanceof SammixError)) throw error;
      refused[path.basename(file.name)] = error.code;
    }
  }
  return { ...sortSeries(instances), notDicom, refused };
}
