import type { BlobStore } from '../core/ports.ts';
import type { CaseToRun } from '../core/stage/run-case.ts';
import { SlabQueue } from '../core/stage/slab-queue.ts';
import type { LocalRun } from './local.ts';

/** The slabs of a case, with what a reader is told while they are segmented. */
export function slabQueue(
  { bundle: { manifest }, runtime, progress }: Pick<LocalRun, 'bundle' | 'runtime' | 'progress'>,
  { keys, caseId }: Pick<CaseToRun, 'keys' | 'caseId'>,
  store: BlobStore,
): SlabQueue {
  let kept = 0;
  return new SlabQueue(keys, {
    store,
    model: async () => {
      const { infer, backend } = await runtime;
      return { manifest, infer, backend };
    },
    onSlab: ({ reused, records }) => {
      if (reused) kept += records.slices.length;
      else if (kept > 0) {
        progress.line(`goes on ${caseId}: ${kept} slices were done before`);
        kept = 0;
      }
    },
    onProgress: ({ done, slices, kept }) => {
      progress.update(done, slices, { kept });
      // Loaded while the graphs run: the drawing library takes longer to load than to draw.
      import('../core/report/render.ts').catch(() => undefined);
    },
  });
}
