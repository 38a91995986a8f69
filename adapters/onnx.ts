import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { GraphSpec } from '../core/contract/bundle.ts';
import type { Backend } from '../core/contract/manifest.ts';
import { BundleError, SammixError } from '../core/errors.ts';
import type { GraphRole, Infer } from '../core/ports.ts';
import type { GraphFile, OpenBundle } from '../core/stage/open-bundle.ts';
import type { GraphHost, LoadedGraph, Provider } from './onnx-session.ts';

export type { Provider } from './onnx-session.ts';

export interface RuntimeOptions {
  /** Threads of one graph run; 0 lets ONNX Runtime take all cores. */
  readonly threads: number;
  /** In order of preference; those that cannot start are left out. */
  readonly providers: readonly Provider[];
}

export interface Runtime {
  readonly infer: Infer;
  /** The provider that really runs the graphs. */
  readonly backend: Backend;
  close(): Promise<void>;
}

/**
 * Opens the three graphs once for the life of the process: creating and releasing sessions
 * repeatedly leaks in onnxruntime-node (microsoft/onnxruntime#25325).
 *
 * @param where the graphs live; unless told, in the calling thread, which each run blocks
 * @throws BundleError where a graph does not load or its tensors are not those of the manifest
 */
export async function openRuntime(
  bundle: OpenBundle,
  options: RuntimeOptions,
  where?: GraphHost,
): Promise<Runtime> {
  const host = where ?? (await inThisThread());
  const { graphs, provider } = await openOnFirst(bundle, options, host);
  const infer: Infer = (roles, feeds) =>
    host.run(
      roles.map((role) => graphs[role]),
      feeds,
    );
  const close = async (): Promise<void> => {
    for (const graph of Object.values(graphs)) await host.release(graph);
  };
  const { onnxRuntimeVersion } = graphs.classifier;
  return { infer, backend: { provider, onnxRuntimeVersion }, close };
}

/** Loaded when needed: a process whose graphs run in another thread does not need the library. */
async function inThisThread(): Promise<GraphHost> {
  const { GraphsInThisThread } = await import('./onnx-session.ts');
  return new GraphsInThisThread();
}

/** ONNX Runtime lists CUDA wherever it was built for it; only its library tells whether it is here. */
export function availableProviders(): Provider[] {
  const root = path.dirname(
    createRequire(import.meta.url).resolve('onnxruntime-node/package.json'),
  );
  const library = path.join(root, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so');
  return existsSync(library) ? ['cuda', 'cpu'] : ['cpu'];
}

type Graphs = Readonly<Record<GraphRole, LoadedGraph>>;

/** All three graphs on one provider: a report names one backend, and it must be true. */
async function openOnFirst(
  bundle: OpenBundle,
  options: RuntimeOptions,
  host: GraphHost,
): Promise<{ graphs: Graphs; provider: Provider }> {
  const available = new Set(availableProviders());
  const refusals: unknown[] = [];
  for (const provider of options.providers.filter((name) => available.has(name))) {
    try {
      return {
        graphs: await openOn(bundle, (bytes) => host.load(bytes, provider, options.threads)),
        provider,
      };
    } catch (cause) {
      if (cause instanceof BundleError && provider === 'cpu') throw cause;
      refusals.push(cause);
    }
  }
  throw new BundleError(
    {
      code: 'no-backend',
      subject: bundle.manifest.name,
      expected: `one of the backends ${options.providers.join(', ')}`,
      found:
        refusals.length > 0
          ? reasonOf(refusals[0])
          : `only ${[...available].join(', ')} in this build`,
      remedy:
        'Install the CUDA libraries and a driver that fits them, or take another backend (on a laptop --device cpu).',
    },
    { cause: refusals[0] },
  );
}

/** Of a graph that does not load: what ONNX Runtime said, which names the library that is missing. */
const reasonOf = (refusal: unknown): string =>
  refusal instanceof SammixError ? refusal.fault.found : String(refusal);

type Load = (bytes: Uint8Array) => Promise<LoadedGraph>;

async function openOn({ graphs }: OpenBundle, load: Load): Promise<Graphs> {
  return {
    classifier: await openGraph(graphs.classifier, load),
    encoder: await openGraph(graphs.encoder, load),
    decoder: await openGraph(graphs.decoder, load),
  };
}

async function openGraph(graph: GraphFile, load: Load): Promise<LoadedGraph> {
  let loaded: LoadedGraph;
  try {
    loaded = await load(graph.bytes);
  } catch (cause) {
    throw new BundleError(
      {
        code: 'graph-does-not-load',
        subject: graph.spec.file,
        expected: 'an ONNX graph that this ONNX Runtime can run',
        found: cause instanceof Error ? cause.message : String(cause),
        remedy: 'Export the bundle again, or update onnxruntime-node.',
      },
      { cause },
    );
  }
  checkTensors(loaded, graph.spec);
  return loaded;
}

function checkTensors({ inputNames, outputNames }: LoadedGraph, spec: GraphSpec): void {
  const names = (tensors: readonly { name: string }[]): string =>
    tensors
      .map((tensor) => tensor.name)
      .sort()
      .join(', ');
  const found = `${[...inputNames].sort().join(', ')} -> ${[...outputNames].sort().join(', ')}`;
  const expected = `${names(spec.inputs)} -> ${names(spec.outputs)}`;
  if (found === expected) return;
  throw new BundleError({
    code: 'graph-tensors-differ',
    subject: spec.file,
    expected: `the tensors ${expected}`,
    found,
    remedy: 'The manifest and the graph belong to different exports: export the bundle again.',
  });
}
