import path from 'node:path';
import type { Problem } from '../core/contract/manifest.ts';
import type { ByteStream } from '../core/ports.ts';
import { type NiftiReader, type OpenOptions, openNifti } from '../core/volume/reader.ts';
import { planVolume } from '../dicom/volume.ts';
import { niftiOfPlan, stackSha256 } from '../dicom/volume-bytes.ts';
import { contentVersion, readFile, requireFile, versionOfSha256 } from './files.ts';
import type { CaseInput } from './inputs.ts';

/** The image of a case as everything behind wants it: a NIfTI stream, whatever it is here. */
export interface CaseImage extends Pick<OpenOptions, 'imageSource' | 'fileBytes'> {
  readonly source: ByteStream;
  /** What was found, and changed, on the way to a volume. */
  readonly sourceProblems: readonly Problem[];
}

/** Where an image is. */
export type ImageFiles = Pick<CaseInput, 'image' | 'pairedImage' | 'dicom'>;

/** Names the image in reports. */
export const imageName = ({ image, dicom }: ImageFiles): string =>
  dicom === undefined
    ? path.basename(image)
    : `${path.basename(image)}, series ${dicom.seriesNumber}${dicom.part === undefined ? '' : `, volume ${dicom.part}`}`;

/** @throws InputError where a series cannot become a volume */
export async function openImage(input: ImageFiles): Promise<CaseImage> {
  const { image, pairedImage, dicom } = input;
  if (dicom === undefined)
    return {
      source: readFile(image),
      fileBytes: await requireFile(pairedImage ?? image),
      ...(pairedImage && { imageSource: readFile(pairedImage) }),
      sourceProblems: [],
    };
  const plan = planVolume(dicom, imageName(input));
  return { source: niftiOfPlan(plan), sourceProblems: plan.problems };
}

/** @throws InputError where it cannot become a volume, or its header cannot be read */
export async function openVolume(input: ImageFiles): Promise<NiftiReader> {
  const { source, imageSource, fileBytes } = await openImage(input);
  const subject = imageName(input);
  return openNifti(source, { subject, fileBytes, ...(imageSource && { imageSource }) });
}

/** Its bytes, opened when they are asked for. */
export async function* imageStream(input: CaseInput): ByteStream {
  yield* (await openImage(input)).source;
}

/** The content of its files: of a series, in the order of its images. */
export async function imageVersion({
  image,
  pairedImage,
  dicom,
}: CaseInput): Promise<{ readonly bytes: number; readonly version: string }> {
  if (dicom === undefined) return contentVersion([image, ...(pairedImage ? [pairedImage] : [])]);
  const { bytes, sha256 } = await stackSha256(dicom);
  return { bytes, version: versionOfSha256(sha256) };
}
