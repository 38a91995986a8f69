import * as z from 'zod';
import { Problem } from '../core/contract/manifest.ts';

/**
 * What was found while an image was made, of a DICOM series for example, goes with it as metadata of
 * the object: the event that the object sets off cannot come before it.
 */

const NAME = 'sammix-problems';

/** For `S3Store.putVersion`. Texts of ours, in ASCII. */
export const problemsMetadata = (problems: readonly Problem[]): Record<string, string> =>
  problems.length === 0 ? {} : { [NAME]: JSON.stringify(problems) };

const Warnings = z.array(Problem.extend({ severity: z.literal('warning') }));

/** None where whoever uploaded the image has said something else by that name. */
export function problemsOf(metadata: Readonly<Record<string, string>>): readonly Problem[] {
  try {
    return Warnings.parse(JSON.parse(metadata[NAME] ?? '[]'));
  } catch {
    return [];
  }
}
