import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DirStore } from '../../adapters/dir-store.ts';
import { openRuntime, type Provider } from '../../adapters/onnx.ts';
import { runId, runKeys } from '../../core/contract/keys.ts';
import { parametersOf } from '../../core/contract/manifest.ts';
import { assembleCase } from '../../core/stage/assemble.ts';
import { type OpenBundle, openBundle } from '../../core/stage/open-bundle.ts';
import { segmentSlab } from '../../core/stage/segment.ts';
import { splitCase } from '../../core/stage/split.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';

/** A drawn CT of a clinical size; the model runs on every slice of 512 x 512 x 128. */
const SCAN = { seed: 7, columns: 512, rows: 512, slices: 128 } as const;

interface Measured {
  readonly provider: string;
  readonly loadSeconds: number;
  readonly segmentSeconds: number;
  readonly mask: Uint8Array;
}

const since = (startedMs: number): number => (performance.now() - startedMs) / 1000;

/** The stages of a case on one provider, which must start: the other never stands in for it. */
async function measure(provider: Provider, bundle: OpenBundle, ct: Uint8Array): Promise<Measured> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sammix-gpu-'));
  const store = new DirStore(folder);
  const keys = runKeys('phantom');
  try {
    const parameters = parametersOf(bundle.manifest);
    const input = { name: 'phantom.nii', bytes: ct.length, version: 'drawn' };
    const id = runId(input, bundle.digest, parameters);
    const run = { runId: id, caseId: 'phantom', input, bundleDigest: bundle.digest, parameters };
    const source = (async function* () {
      yield ct;
    })();
    const manifest = await splitCase(
      { run, source, bundle: bundle.manifest, keys, slicesPerSlab: 32 },
      { store },
    );
    const loading = performance.now();
    const { infer, backend, close } = await openRuntime(bundle, {
      providers: [provider],
      threads: 0,
    });
    const loadSeconds = since(loading);
    const segmenting = performance.now();
    for (const { index } of manifest.slabs)
      await segmentSlab(
        { manifest, slabIndex: index, keys },
        { store, model: () => ({ manifest: bundle.manifest, infer, backend }) },
      );
    const segmentSeconds = since(segmenting);
    await close();
    await assembleCase({ manifest, keys }, { store });
    return {
      provider: backend.provider,
      loadSeconds,
      segmentSeconds,
      mask: await store.get(keys.mask),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const { gunzipSync } = await import('node:zlib');

/** Voxels of the stored masks that are liver in one and not in the other, and in each. */
function compare(a: Uint8Array, b: Uint8Array): { differ: number; dice: number } {
  const [one, other] = [gunzipSync(a).subarray(352), gunzipSync(b).subarray(352)];
  let [differ, both, sum] = [0, 0, 0];
  for (let at = 0; at < one.length; at++) {
    if (one[at] !== other[at]) differ += 1;
    if (one[at] && other[at]) both += 1;
    sum += Number(one[at] !== 0) + Number(other[at] !== 0);
  }
  return { differ, dice: sum === 0 ? 1 : (2 * both) / sum };
}

const [folder = 'bundle', out = '.'] = process.argv.slice(2);
const bundle = await openBundle(new DirStore(folder), folder);
const { ct } = encodePhantom(phantomCase(SCAN));
const cuda = await measure('cuda', bundle, ct);
const cpu = await measure('cpu', bundle, ct);
const { mask: _, ...gpu } = cuda;
const { mask: __, ...processor } = cpu;
const result = {
  scan: SCAN,
  bundle: bundle.digest,
  gpu,
  cpu: processor,
  ...compare(cuda.mask, cpu.mask),
};
await writeFile(path.join(out, 'gpu.json'), `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
