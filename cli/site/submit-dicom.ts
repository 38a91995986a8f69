import { createHash } from 'node:crypto';
import { zipOf } from '../../adapters/zip-writer.ts';
import { groupBy } from '../../core/group-by.ts';
import type { ByteStream } from '../../core/ports.ts';
import type { Instance } from '../../dicom/instance.ts';
import { stackSha256 } from '../../dicom/volume-bytes.ts';
import { checkInput, defaultWindow } from '../check.ts';
import type { CaseInput } from '../inputs.ts';

/** What goes up of a series, under a name that says nothing of the patient. */
export interface SeriesUpload {
  /** What the volumes are called here, on the user's own machine. */
  readonly names: readonly string[];
  readonly images: number;
  /** `<hash of the images>.zip`: the same images give the same name, on whichever machine. */
  readonly file: string;
  readonly body: () => ByteStream;
}

/** Why a volume does not go up, for the user's own terminal. */
export interface RefusedVolume {
  readonly caseId: string;
  readonly reasons: readonly string[];
}

/** The volumes of each series, which go up together: a site tells them apart as this machine did. */
export const bySeries = <Input extends CaseInput>(inputs: readonly Input[]): Input[][] => [
  ...groupBy(inputs, ({ image, dicom }) => `${image}\n${dicom!.seriesUid}`).values(),
];

/**
 * Looks at the volumes of a series as `sammix check` does, and makes a zip of those that can be
 * segmented: their images alone, in every byte as they are, numbered instead of called by their files' names.
 */
export async function checkSeries(volumes: readonly CaseInput[]): Promise<{
  readonly upload: SeriesUpload | undefined;
  readonly refused: readonly RefusedVolume[];
}> {
  const windowHu = await defaultWindow();
  const refused: RefusedVolume[] = [];
  const usable: CaseInput[] = [];
  for (const input of volumes) {
    const checked = await checkInput(input, windowHu);
    if (checked.usable) usable.push(input);
    else refused.push({ caseId: input.caseId, reasons: checked.problems.map(reasonOf) });
  }
  return { upload: usable.length === 0 ? undefined : await uploadOf(usable), refused };
}

const reasonOf = ({ message, remedy }: { message: string; remedy: string }): string =>
  `${message}. ${remedy}`;

async function uploadOf(volumes: readonly CaseInput[]): Promise<SeriesUpload> {
  const hash = createHash('sha256');
  const instances = new Set<Instance>();
  for (const { dicom } of volumes) {
    hash.update((await stackSha256(dicom!)).sha256);
    for (const { instance } of dicom!.slices) instances.add(instance);
  }
  const entries = [...instances].map(({ file }, n) => ({
    name: `${String(n + 1).padStart(6, '0')}.dcm`,
    file,
  }));
  return {
    names: volumes.map(({ caseId }) => caseId),
    images: entries.length,
    file: `${hash.digest('hex').slice(0, 32)}.zip`,
    body: () => zipOf(entries),
  };
}
