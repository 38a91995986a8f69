import { faultText, InputError } from '../core/errors.ts';
import type { RangedFile } from '../core/ports.ts';
import { type Instance, readInstance } from './instance.ts';
import { type LeftAside, type SortedSeries, sortSeries } from './series.ts';

/** What files hold, whatever else is among them. */
export interface SortedFiles extends SortedSeries {
  /** Names of the files that are DICOM, those included that cannot be read on. */
  readonly dicom: readonly string[];
  readonly instances: readonly Instance[];
}

/**
 * Reads the headers of files, one after the other, and sorts what is DICOM into series.
 *
 * @throws StorageError where a file cannot be read at this time
 */
export async function sortFiles(files: Iterable<RangedFile>): Promise<SortedFiles> {
  const instances: Instance[] = [];
  const damaged: LeftAside[] = [];
  const dicom: string[] = [];
  for (const file of files) {
    try {
      const instance = await readInstance(file);
      if (!instance) continue;
      instances.push(instance);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { code, fault } = error;
      damaged.push({ code, what: file.name, why: faultText(fault), files: [file.name] });
    }
    dicom.push(file.name);
  }
  const { stacks, leftAside } = sortSeries(instances);
  return { stacks, leftAside: [...damaged, ...leftAside], dicom, instances };
}
