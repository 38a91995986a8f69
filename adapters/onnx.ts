import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { GraphSpec } from '../core/contract/bundle.ts';
import type { Backend } from '../core/contract/manifest.ts';
import { BundleError } from '../core/errors.ts';
import type { GraphRole, Infer } from '../core/ports.ts';
import type { GraphFile, OpenBundle } from '../core/stage/open-bundle.ts';
import type { CreateSession, GraphSession, Provider } from './onnx-session.ts';

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
 * @param create where the sessions live; unless told, in the calling thread, which each run blocks
 * @throws BundleError where a graph does not load or its tensors are not those of the manifest
 */
export async function openRuntime(
  bundle: OpenBundle,
  options: RuntimeOptions,
  create: CreateSession = createInThisThread,
): Promise<Runtime> {
  const { sessions, provider } = await openSessions(bundle, options, create);
  const infer: Infer = (graph, feeds) => sessions[graph].run(feeds);
  const close = async (): Promise<void> => {
    for (const session of Object.values(sessions)) await session.release();
  };
  const { onnxRuntimeVersion } = sessions.classifier;
  return { infer, backend: { provider, onnxRuntimeVersion }, close };
}

/** Loaded when needed: a process whose graphs run in another thread does not need the library. */
const createInThisThread: CreateSession = async (...graph) => {
  const { createSession } = await import('./onnx-session.ts');
  return createSession(...graph);
};

/** ONNX Runtime lists CUDA wherever it was built for it; only its library tells whether it is here. */
export function availableProviders(): Provider[] {
  const root = path.dirname(
    createRequire(import.meta.url).resolve('onnxruntime-node/package.json'),
  );
  const library = path.join(root, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so');
  return existsSync(library) ? ['cuda', 'cpu'] : ['cpu'];
}

type Sessions = Readonly<Record<GraphRole, GraphSession>>;

/** All three graphs on one provider: a report names one backend, and it must be true. */
async function openSessions(
  bundle: OpenBundle,
  options: RuntimeOptions,
  create: CreateSession,
): Promise<{ sessions: Sessions; provider: Provider }> {
  const available = new Set(availableProviders());
  const refusals: unknown[] = [];
  for (const provider of options.providers.filter((name) => available.has(name))) {
    try {
      return {
        sessions: await openOn(bundle, (bytes) => create(bytes, provider, options.threads)),
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
      found: `only ${[...available].join(', ')} in this build, or none that starts`,
      remedy: 'Add "cpu" to the providers, or install the CUDA libraries.',
    },
    { cause: refusals[0] },
  );
}

type Load = (bytes: Uint8Array) => Promise<GraphSession>;

async function openOn({ graphs }: OpenBundle, load: Load): Promise<Sessions> {
  return {
    classifier: await openGraph(graphs.classifier, load),
    encoder: await openGraph(graphs.encoder, load),
    decoder: await openGraph(graphs.decoder, load),
  };
}

async function openGraph(graph: GraphFile, load: Load): Promise<GraphSession> {
  let session: GraphSession;
  try {
    session = await load(graph.bytes);
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

function checkTensors(session: GraphSession, spec: GraphSpec): void {
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
