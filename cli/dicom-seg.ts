import type { RunKeys } from '../core/contract/keys.ts';
import type { SegmentedReport } from '../core/contract/report.ts';
import { SammixError } from '../core/errors.ts';
import type { BlobStore } from '../core/ports.ts';
import type { CaseInput } from './inputs.ts';
import type { Progress } from './progress.ts';

/**
 * Writes the DICOM-SEG of a case that came from DICOM, unless an equal run has left it. What cannot be
 * written as DICOM costs that file alone: mask and report stand.
 *
 * @param endsTheRun what no case can do without: it is thrown
 */
export async function writeSegmentation(
  { store, progress }: { readonly store: BlobStore; readonly progress: Progress },
  keys: RunKeys,
  input: CaseInput,
  done: SegmentedReport,
  endsTheRun: (error: SammixError) => boolean,
): Promise<void> {
  if (!input.dicom) return;
  if (done.volumeMl === 0 || (await store.stat(keys.dicomSeg))) return;
  try {
    const { segmentationOf } = await import('./export.ts');
    const made = await segmentationOf(input, store.read(keys.mask), done);
    if (made) await store.put(keys.dicomSeg, made);
  } catch (error) {
    if (!(error instanceof SammixError) || endsTheRun(error)) throw error;
    progress.line(`no DICOM-SEG of ${input.caseId}: ${error.message}`);
  }
}
