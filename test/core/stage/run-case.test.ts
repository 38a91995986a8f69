import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirStore } from '../../../adapters/dir-store.ts';
import type { Runtime } from '../../../adapters/onnx.ts';
import { provenance } from '../../../adapters/provenance.ts';
import { runKeys } from '../../../core/contract/keys.ts';
import { BundleError, InputError, type SammixError } from '../../../core/errors.ts';
import type { LabelInput } from '../../../core/stage/compare.ts';
import { readReport } from '../../../core/stage/finished-report.ts';
import type { OpenBundle } from '../../../core/stage/open-bundle.ts';
import { type CaseOutcome, type CaseToRun, runCase } from '../../../core/stage/run-case.ts';
import { SlabQueue, type SlabQueuePorts } from '../../../core/stage/slab-queue.ts';
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
const { image, label } = phantomFile({ seed: 4, columns: 32, rows: 32, slices: 12 });
const otherImage = phantomFile({ seed: 5, columns: 32, rows: 32, slices: 12 }).image;

let bundle: OpenBundle;
let runtime: Runtime;
beforeAll(async () => {
  bundle = await openTinyBundle();
  runtime = await openTinyRuntime();
});
afterAll(() => runtime.close());

const labelOf = (version: string): LabelInput => ({
  name: 'label.nii',
  version,
  open: () => once(label),
});

interface Attempt {
  readonly image?: Uint8Array;
  readonly label?: LabelInput;
  readonly force?: boolean;
  readonly exclusive?: boolean;
  readonly open?: CaseToRun['open'];
  readonly endsTheRun?: (error: SammixError) => boolean;
  readonly slabs?: Partial<SlabQueuePorts>;
}

function attempt(store: DirStore, given: Attempt = {}): Promise<CaseOutcome> {
  const bytes = given.image ?? image;
  const model = () => ({
    manifest: bundle.manifest,
    infer: runtime.infer,
    backend: runtime.backend,
  });
  return runCase(
    {
      caseId: 'phantom',
      inputName: 'phantom.nii',
      keys,
      identify: async () => identityOf(bytes, bundle, CLEAN_UP),
      label: async () => given.label,
      open: given.open ?? (async () => ({ source: once(bytes) })),
    },
    {
      store,
      unbufferedStore: store,
      bundle: async () => bundle,
      slabs: new SlabQueue(keys, { store, model, ...given.slabs }),
      slicesPerSlab: 4,
      force: given.force ?? false,
      exclusive: given.exclusive ?? true,
      endsTheRun: given.endsTheRun ?? (() => false),
      provenance,
      peakMemoryMiB: () => null,
    },
  );
}

const newStore = async (): Promise<DirStore> => new DirStore(await temporaryFolder());

async function keysIn(store: DirStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list('')) found.push(key);
  return found.sort();
}

const broken = async (): Promise<never> => {
  throw new InputError({
    code: 'input-missing',
    subject: 'phantom.nii',
    expected: 'the image',
    found: 'nothing',
    remedy: 'Bring it back.',
  });
};

describe('a case', () => {
  it('is kept where the same run was compared with the same label, and only there', async () => {
    const store = await newStore();
    const state = async (given: Attempt): Promise<string> => (await attempt(store, given)).state;
    expect(await state({})).toBe('reported');
    expect(await state({})).toBe('kept');
    expect(await state({ label: labelOf('sha256:a') })).toBe('reported');
    expect(await state({ label: labelOf('sha256:a') })).toBe('kept');
    expect(await state({ label: labelOf('sha256:b') })).toBe('reported');
    expect(await state({})).toBe('reported');
    expect(await state({ image: otherImage })).toBe('reported');
    await store.remove(keys.mask);
    expect(await state({ image: otherImage })).toBe('reported');
    expect(await state({ image: otherImage, force: true })).toBe('reported');
  });

  it('leaves its outputs and nothing that can be made again', async () => {
    const store = await newStore();
    await attempt(store);
    expect(await keysIn(store)).toEqual(
      [
        ...[keys.cam, keys.mask, keys.overlay, keys.gallery, keys.thumbnail],
        ...[keys.report, keys.reportHtml],
      ].sort(),
    );
  });

  it('leaves nothing of an attempt that was stopped after its report either', async () => {
    const store = await newStore();
    await attempt(store);
    const outputs = await keysIn(store);
    await store.put(keys.slab(2), new Uint8Array(8));
    expect((await attempt(store)).state).toBe('kept');
    expect(await keysIn(store)).toEqual(outputs);
  });

  it('keeps the mask that its own run has finished when a later attempt fails', async () => {
    const store = await newStore();
    await attempt(store);
    const mask = await store.get(keys.mask);
    const outcome = await attempt(store, { force: true, open: broken });
    expect(outcome).toMatchObject({ state: 'failed', report: { stage: 'split' } });
    expect(await store.get(keys.mask)).toEqual(mask);
    expect((await readReport(store, keys))?.status).toBe('segmented');
  });

  it('leaves nothing of another run beside the report of a failure', async () => {
    const store = await newStore();
    await attempt(store);
    const outcome = await attempt(store, { image: otherImage, open: broken });
    expect(outcome.state).toBe('failed');
    expect(await keysIn(store)).toEqual([keys.report, keys.reportHtml].sort());
    expect(await readReport(store, keys)).toMatchObject({
      status: 'failed',
      fault: { code: 'input-missing' },
    });
  });

  it('removes nothing where others may be working under the same keys', async () => {
    const store = await newStore();
    await attempt(store, { exclusive: false });
    const before = await keysIn(store);
    expect(before).toContain(keys.manifest);
    await attempt(store, { image: otherImage, open: broken, exclusive: false });
    expect(await keysIn(store)).toEqual(before);
  });

  it('stops between slabs when the machine is taken away, and goes on from there', async () => {
    const store = await newStore();
    const taken = new AbortController();
    const stopped = await attempt(store, {
      slabs: { stop: taken.signal, onSlab: () => taken.abort() },
    });
    expect(stopped.state).toBe('interrupted');
    expect(await readReport(store, keys)).toBeUndefined();
    let [reused, computed] = [0, 0];
    const resumed = await attempt(store, {
      open: broken, // What was split is not read again.
      slabs: { onSlab: (slab) => void (slab.reused ? reused++ : computed++) },
    });
    expect(resumed.state).toBe('reported');
    expect(reused).toBeGreaterThan(0);
    expect(reused + computed).toBe(3);
    const whole = await newStore();
    await attempt(whole);
    expect(await store.get(keys.mask)).toEqual(await whole.get(keys.mask));
    // The image had gone: what is inside the mask could not be measured.
    expect(resumed).toMatchObject({ report: { measuresFault: { code: 'input-missing' } } });
    const report = await readReport(whole, keys);
    expect(report).toMatchObject({ measures: [{ target: 'liver' }], measuresFault: null });
  });

  it('throws what no other case could have either, and keeps what stands', async () => {
    const store = await newStore();
    await attempt(store);
    const fault = { code: 'bad', subject: 'bundle', expected: 'a', found: 'b', remedy: 'c' };
    const model = () => Promise.reject(new BundleError(fault));
    const failing = attempt(store, {
      force: true,
      endsTheRun: (error) => error instanceof BundleError,
      slabs: { model },
    });
    await expect(failing).rejects.toBeInstanceOf(BundleError);
    expect((await readReport(store, keys))?.status).toBe('segmented');
  });
});
