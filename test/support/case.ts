import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { DirStore } from '../../adapters/dir-store.ts';
import { openRuntime, type Runtime } from '../../adapters/onnx.ts';
import { type RunKeys, runId, runKeys } from '../../core/contract/keys.ts';
import type { CaseManifest, Parameters, RunIdentity } from '../../core/contract/manifest.ts';
import type { ByteStream } from '../../core/ports.ts';
import { type AssembledCase, assembleCase } from '../../core/stage/assemble.ts';
import { type OpenBundle, openBundle } from '../../core/stage/open-bundle.ts';
import { segmentSlab } from '../../core/stage/segment.ts';
import { splitCase } from '../../core/stage/split.ts';
import { encodePhantom, type PhantomOptions, phantomCase } from '../../phantom/phantom.ts';

/** A bundle of under 1.2 MB with the shapes of the real one. */
export const TINY_BUNDLE = fileURLToPath(new URL('../golden/tiny-bundle', import.meta.url));

export const openTinyBundle = (): Promise<OpenBundle> =>
  openBundle(new DirStore(TINY_BUNDLE), 'tiny-bundle');

/** One thread, so that a result does not depend on the machine's cores. */
export const openTinyRuntime = async (): Promise<Runtime> =>
  openRuntime(await openTinyBundle(), { threads: 1, providers: ['cpu'] });

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sammix-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export const once = async function* (bytes: Uint8Array): ByteStream {
  yield bytes;
};

/** A small phantom as a NIfTI file stored in the canonical orientation. */
export function phantomFile(options: PhantomOptions): {
  image: Uint8Array;
  label: Uint8Array;
  phantom: ReturnType<typeof phantomCase>;
} {
  const phantom = phantomCase(options);
  const { ct, label } = encodePhantom(phantom);
  return { phantom, image: ct, label };
}

export const CLEAN_UP: Parameters = { largestComponent3d: true, fillHoles: true };

export function identityOf(
  image: Uint8Array,
  bundle: OpenBundle,
  parameters = CLEAN_UP,
): RunIdentity {
  const version = `sha256:${createHash('sha256').update(image).digest('hex')}`;
  const input = { name: 'phantom.nii', bytes: image.length, version };
  return {
    runId: runId(input, bundle.digest, parameters),
    caseId: 'phantom',
    input,
    bundleDigest: bundle.digest,
    parameters,
  };
}

export interface StagedCase {
  readonly manifest: CaseManifest;
  readonly assembled: AssembledCase;
  readonly keys: RunKeys;
}

/** Splits, segments and assembles an image, as the command and the cloud do. */
export async function stageCase(
  image: Uint8Array,
  bundle: OpenBundle,
  runtime: Runtime,
  store: DirStore,
  options: { slicesPerSlab?: number; parameters?: Parameters } = {},
): Promise<StagedCase> {
  const keys = runKeys('phantom');
  const manifest = await splitCase(
    {
      run: identityOf(image, bundle, options.parameters),
      source: once(image),
      bundle: bundle.manifest,
      keys,
      slicesPerSlab: options.slicesPerSlab ?? 8,
    },
    { store },
  );
  for (const { index } of manifest.slabs)
    await segmentSlab(
      { manifest, slabIndex: index, keys },
      {
        store,
        model: () => ({
          manifest: bundle.manifest,
          infer: runtime.infer,
          backend: runtime.backend,
        }),
      },
    );
  return { manifest, assembled: await assembleCase({ manifest, keys }, { store }), keys };
}
