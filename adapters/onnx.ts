import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import ort from 'onnxruntime-node';
import type { GraphSpec } from '../core/contract/bundle.ts';
import type { Backend } from '../core/contract/manifest.ts';
import { BundleError } from '../core/errors.ts';
import type { Feeds, GraphRole, Infer } from '../core/ports.ts';
import type { GraphFile, OpenBundle } from '../core/stage/open-bundle.ts';

export interface RuntimeOptions {
  /** Threads of one graph run; 0 lets ONNX Runtime take all cores. */
  readonly threads: number;
  /** In order of preference; those that cannot start are left out. */
  readonly providers: readonly Provider[];
}

export type Provider = 'cuda' | 'cpu';

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
 * @throws BundleError where a graph does not load or its tensors are not those of the manifest
 */
export async function openRuntime(bundle: OpenBundle, options: RuntimeOptions): Promise<Runtime> {
  const { sessions, provider } = await openSessions(bundle, options);
  const infer: Infer = async (graph, feeds) => fromOrt(await sessions[graph].run(toOrt(feeds)));
  const close = async (): Promise<void> => {
    for (const session of Object.values(sessions)) await session.release();
  };
  return {
    infer,
    backend: { provider, onnxRuntimeVersion: ort.env.versions.node ?? 'unknown' },
    close,
  };
}

/** ONNX Runtime lists CUDA wherever it was built for it; only its library tells whether it is here. */
export function availableProviders(): Provider[] {
  const root = path.dirname(
    createRequire(import.meta.url).resolve('onnxruntime-node/package.json'),
  );
  const library = path.join(root, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so');
  return existsSync(library) ? ['cuda', 'cpu'] : ['cpu'];
}

type Sessions = Readonly<Record<GraphRole, ort.InferenceSession>>;

/** All three graphs on one provider: a report names one backend, and it must be true. */
async function openSessions(
  bundle: OpenBundle,
  options: RuntimeOptions,
): Promise<{ sessions: Sessions; provider: Provider }> {
  const available = new Set(availableProviders());
  const refusals: unknown[] = [];
  for (const provider of options.providers.filter((name) => available.has(name))) {
    try {
      return { sessions: await openOn(provider, bundle, options.threads), provider };
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
      found: `only ${[...available].join(', ')} in this build, or none that starts`,
      remedy: 'Add "cpu" to the providers, or install the CUDA libraries.',
    },
    { cause: refusals[0] },
  );
}

async function openOn(
  provider: Provider,
  { graphs }: OpenBundle,
  threads: number,
): Promise<Sessions> {
  return {
    classifier: await openGraph(graphs.classifier, provider, threads),
    encoder: await openGraph(graphs.encoder, provider, threads),
    decoder: await openGraph(graphs.decoder, provider, threads),
  };
}

async function openGraph(
  graph: GraphFile,
  provider: Provider,
  threads: number,
): Promise<ort.InferenceSession> {
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(graph.bytes, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      graphOptimizationLevel: 'all',
    });
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
  checkTensors(session, graph.spec);
  return session;
}

function checkTensors(session: ort.InferenceSession, spec: GraphSpec): void {
  const names = (tensors: readonly { name: string }[]): string =>
    tensors
      .map((tensor) => tensor.name)
      .sort()
      .join(', ');
  const found = `${[...session.inputNames].sort().join(', ')} -> ${[...session.outputNames].sort().join(', ')}`;
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

const toOrt = (feeds: Feeds): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [
      name,
      new ort.Tensor('float32', data, dims),
    ]),
  );

function fromOrt(outputs: ort.InferenceSession.OnnxValueMapType): Feeds {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => {
      if (!(tensor.data instanceof Float32Array))
        throw new Error(`output "${name}" holds ${tensor.type}, not float32`);
      return [name, { data: tensor.data, dims: tensor.dims }];
    }),
  );
}
