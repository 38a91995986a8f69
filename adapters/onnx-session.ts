import ort from 'onnxruntime-node';
import type { Feeds } from '../core/ports.ts';

export type Provider = 'cuda' | 'cpu';

/** One loaded graph. */
export interface GraphSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly onnxRuntimeVersion: string;
  run(feeds: Feeds): Promise<Feeds>;
  release(): Promise<void>;
}

/** @param threads of one run; 0 lets ONNX Runtime take all cores */
export type CreateSession = (
  bytes: Uint8Array,
  provider: Provider,
  threads: number,
) => Promise<GraphSession>;

/**
 * Threads that wait for their graph's next run by spinning take the cores from the graph that is running
 * now, and from everything else here: with three graphs in turn on two cores a slice took twice as long.
 */
const NO_SPINNING = { session: { intra_op: { allow_spinning: '0' } } };

/** In the calling thread, which every run blocks: onnxruntime-node runs graphs synchronously. */
export const createSession: CreateSession = async (bytes, provider, threads) => {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    graphOptimizationLevel: 'all',
    extra: NO_SPINNING,
  });
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    onnxRuntimeVersion: ort.env.versions.node ?? 'unknown',
    run: async (feeds) => fromOrt(await session.run(toOrt(feeds))),
    release: () => session.release(),
  };
};

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
