import { gunzipSync, gzipSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirStore } from '../../../adapters/dir-store.ts';
import type { Runtime } from '../../../adapters/onnx.ts';
import { provenance } from '../../../adapters/provenance.ts';
import { runKeys } from '../../../core/contract/keys.ts';
import type { SegmentedReport } from '../../../core/contract/report.ts';
import type { LabelInput } from '../../../core/stage/compare.ts';
import { readReport } from '../../../core/stage/finished-report.ts';
import type { OpenBundle } from '../../../core/stage/open-bundle.ts';
import { type CaseOutcome, runCase } from '../../../core/stage/run-case.ts';
import { SlabQueue } from '../../../core/stage/slab-queue.ts';
import {
  CLEAN_UP,
  identityOf,
  once,
  openTinyBundle,
  openTinyRuntime,
  phantomFile,
  temporaryFolder,
} from '../../support/case.ts';

const keys = runKeys('phantom');
const { image, label } = phantomFile({ seed: 3, columns: 48, rows: 48, slices: 20 });
const LABEL: LabelInput = { name: 'label.nii', version: 'sha256:a', open: () => once(label) };

let bundle: OpenBundle;
let runtime: Runtime;
beforeAll(async () => {
  bundle = await openTinyBundle();
  runtime = await openTinyRuntime();
});
afterAll(() => runtime.close());

const newStore = async (): Promise<DirStore> => new DirStore(await temporaryFolder());

/** How a case ended, and how many slices went through the classifier for it. */
async function attempt(
  store: DirStore,
  given?: LabelInput,
  keepEdited = true,
): Promise<{ readonly outcome: CaseOutcome; readonly computed: number }> {
  let computed = 0;
  const { manifest, digest } = bundle;
  const { infer, backend } = runtime;
  const slabs = new SlabQueue(keys, {
    store,
    model: () => ({ manifest, infer, backend }),
    onSlab: ({ records }) => {
      computed += records.slices.length;
    },
  });
  const outcome = await runCase(
    {
      caseId: 'phantom',
      inputName: 'phantom.nii',
      keys,
      identify: async () => identityOf(image, bundle, CLEAN_UP),
      label: async () => given,
      open: async () => ({ source: once(image) }),
    },
    {
      ...{ store, unbufferedStore: store, slabs, provenance },
      bundle: async () => ({ manifest, digest }),
      ...{ slicesPerSlab: 8, force: false, exclusive: true, keepEdited },
      endsTheRun: () => false,
      peakMemoryMiB: () => null,
    },
  );
  return { outcome, computed };
}

const segmented = ({ outcome }: { readonly outcome: CaseOutcome }): SegmentedReport => {
  if (outcome.state === 'interrupted' || outcome.report.status !== 'segmented')
    throw new Error(JSON.stringify(outcome));
  return outcome.report;
};

/** What may differ between two runs of the same: when, and how long. */
const lasting = ({ createdAt, timings, outputs, ...rest }: SegmentedReport) => ({
  ...rest,
  // The page shows both; the montage is compared by its pixels.
  outputs: outputs?.filter(({ file }) => !['report.html', 'overlay.png'].includes(file)),
});

const pixels = async (store: DirStore): Promise<Buffer> =>
  PNG.sync.read(Buffer.from(await store.get(keys.overlay))).data;

/** Clears the mask's voxels below `slice` of the stored order, as an editor would. */
async function edit(store: DirStore, slice: number): Promise<void> {
  const bytes = gunzipSync(await store.get(keys.mask));
  bytes.fill(0, 352, 352 + slice * 48 * 48);
  await store.put(keys.mask, gzipSync(bytes));
}

describe('a label that comes later', () => {
  it('costs the comparison alone, and gives what it would have given at first', async () => {
    const [later, atOnce] = [await newStore(), await newStore()];
    const whole = await attempt(atOnce, LABEL);
    expect((await attempt(later)).computed).toBe(20);
    const compared = await attempt(later, LABEL);
    expect(compared.computed).toBe(0);
    expect(segmented(compared).comparison?.panel.metrics.length).toBeGreaterThan(5);
    expect(lasting(segmented(compared))).toEqual(lasting(segmented(whole)));
    // The maps are kept to 16 bits: an outline of theirs may pass on the other side of a pixel.
    const [drawn, again] = [await pixels(atOnce), await pixels(later)];
    expect(again.length).toBe(drawn.length);
    const changed = drawn.filter((value, at) => value !== again[at]).length;
    expect(changed / drawn.length).toBeLessThan(1e-4);
    expect((await attempt(later, LABEL)).outcome.state).toBe('kept');
  });

  it('and one that is taken away costs no more', async () => {
    const store = await newStore();
    await attempt(store, LABEL);
    const { outcome, computed } = await attempt(store);
    expect(computed).toBe(0);
    expect(outcome).toMatchObject({ report: { comparison: null, labelVersion: null } });
  });
});

describe('a mask that a person has corrected', () => {
  it('is measured as it is now, and not drawn over', async () => {
    const store = await newStore();
    const before = segmented(await attempt(store));
    await edit(store, 11);
    const mask = await store.get(keys.mask);
    const again = await attempt(store, LABEL);
    const report = segmented(again);
    expect(again.computed).toBe(0);
    expect(Buffer.compare(await store.get(keys.mask), mask)).toBe(0);
    expect(report.maskEdited).toBe(true);
    expect(report.volumeMl).toBeLessThan(before.volumeMl);
    expect(report.volumeMl).toBeGreaterThan(0);
    expect(report.rawVolumeMl).toBe(before.rawVolumeMl);
    expect(report.measures?.[0]?.volumeMl).toBeCloseTo(report.volumeMl, 6);
    const nonEmpty = (counts: readonly number[] = []): number =>
      counts.filter((voxels) => voxels > 0).length;
    expect(nonEmpty(report.voxelsPerSlice)).toBeLessThan(nonEmpty(before.voxelsPerSlice));
    expect(String(Buffer.from(await store.get(keys.reportHtml)))).toContain('corrected by hand');
    const kept = await attempt(store, LABEL);
    expect(kept.outcome.state).toBe('kept');
    expect(segmented(await attempt(store)).maskEdited).toBe(true);
  });

  it('is drawn again where the model is what is measured', async () => {
    const store = await newStore();
    const before = segmented(await attempt(store, LABEL));
    await edit(store, 11);
    await attempt(store, LABEL);
    const { outcome, computed } = await attempt(store, LABEL, false);
    expect(computed).toBe(20);
    expect(lasting(segmented({ outcome }))).toEqual(lasting(before));
  });

  it('is kept and told of where it does not lie on its image any more', async () => {
    const store = await newStore();
    await attempt(store);
    const bytes = gunzipSync(await store.get(keys.mask));
    bytes.writeFloatLE(bytes.readFloatLE(292) + 40, 292); // srow_x[3]: 40 mm to the side
    const moved = gzipSync(bytes);
    await store.put(keys.mask, moved);
    const { outcome } = await attempt(store);
    expect(outcome.state).toBe('failed');
    expect(Buffer.compare(await store.get(keys.mask), moved)).toBe(0);
    expect((await readReport(store, keys))?.status).toBe('segmented');
  });

  it('is drawn again where it is only damaged', async () => {
    const store = await newStore();
    await attempt(store);
    const whole = await store.get(keys.mask);
    await store.put(keys.mask, whole.subarray(0, whole.length - 9));
    expect((await attempt(store)).computed).toBe(20);
    expect(Buffer.compare(await store.get(keys.mask), whole)).toBe(0);
  });
});
