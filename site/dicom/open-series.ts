import type { S3Store } from '../../adapters/s3-store.ts';
import { zipEntries } from '../../adapters/zip.ts';
import { InputError } from '../../core/errors.ts';
import type { RangedFile } from '../../core/ports.ts';
import { type AxialStack, isStack } from '../../dicom/series.ts';
import { sortFiles } from '../../dicom/sort-files.ts';
import type { DicomSource } from '../contract/dicom.ts';

/** A compressed object is held in memory as it lies in the file, and a function has 3 GB. */
const LARGEST_FILE_BYTES = 2 ** 30;

/** What the errors of an upload name instead of its key, which may be a patient's. */
const ARCHIVE = 'the zip file of the DICOM upload';

/** The files of an upload that are read, and how many are too large for it. */
export interface FilesOfUpload {
  readonly files: readonly RangedFile[];
  readonly tooLarge: number;
}

/**
 * The files of a DICOM upload, in exactly the versions that were uploaded, read in parts as they are needed.
 *
 * @throws InputError `not-a-zip`, `zip-too-large`, `zip-encrypted`
 */
export async function filesOfSource(
  source: DicomSource['source'],
  store: S3Store,
): Promise<FilesOfUpload> {
  const all = await everyFile(source, store);
  const files = all.filter(({ bytes }) => bytes <= LARGEST_FILE_BYTES);
  return { files, tooLarge: all.length - files.length };
}

async function everyFile(source: DicomSource['source'], store: S3Store): Promise<RangedFile[]> {
  if (source.kind === 'archive') return zipEntries(store.ranged(source, ARCHIVE));
  const { prefix, files } = source;
  return files.map(({ name, ...version }) =>
    store.ranged({ key: prefix + name, ...version }, name),
  );
}

/**
 * The images of a case again, from the bytes of which its volume was made.
 *
 * @throws InputError `series-missing` where they do not hold it, which is a defect
 * @throws StorageError `blob-missing` where retention or a person has removed them
 */
export async function openSeries(
  { caseId, source, seriesInstanceUid, part }: DicomSource,
  store: S3Store,
): Promise<AxialStack> {
  const { files } = await filesOfSource(source, store);
  const { stacks } = await sortFiles(files);
  const found = stacks.find((stack) => isStack(stack, seriesInstanceUid, part));
  if (found) return found;
  throw new InputError({
    code: 'series-missing',
    subject: caseId,
    expected: 'the DICOM series of which the volume was made, in the same upload',
    found: 'others, or none',
    remedy: 'Upload the series again.',
  });
}
