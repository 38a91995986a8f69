import { pMapIterable } from 'p-map';
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

/** Headers that are read at once: over a network it is the waiting that takes time. */
const AT_ONCE = 8;

/**
 * Reads the headers of files and sorts what is DICOM into series.
 *
 * @throws StorageError where a file cannot be read at this time
 */
export async function sortFiles(files: Iterable<RangedFile>): Promise<SortedFiles> {
  const instances: Instance[] = [];
  const damaged: LeftAside[] = [];
  const dicom: string[] = [];
  const headers = pMapIterable(files, readHeader, { concurrency: AT_ONCE });
  for await (const { name, instance, aside } of headers) {
    if (instance) instances.push(instance);
    else if (aside) damaged.push(aside);
    else continue;
    dicom.push(name);
  }
  const { stacks, leftAside } = sortSeries(instances);
  return { stacks, leftAside: [...damaged, ...leftAside], dicom, instances };
}

/** What a file is: neither where it is no DICOM. */
interface Header {
  readonly name: string;
  readonly instance?: Instance | undefined;
  readonly aside?: LeftAside;
}

async function readHeader(file: RangedFile): Promise<Header> {
  const { name } = file;
  try {
    return { name, instance: await readInstance(file) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { code, fault } = error;
    return { name, aside: { code, what: name, why: faultText(fault), files: [name] } };
  }
}
