import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Feeds, Inferred } from '../core/ports.ts';
import { ort } from './ort.ts';

export type Provider = 'cuda' | 'cpu';

/** A graph that was loaded into a `GraphHost`. */
export interface LoadedGraph {
  /** Its number in the host. */
  readonly id: number;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly onnxRuntimeVersion: string;
}

/** Where graphs live and run: in the calling thread, or in one of their own. */
export interface GraphHost {
  /** @param threads of one run; 0 lets ONNX Runtime take all cores */
  load(bytes: Uint8Array, provider: Provider, threads: number): Promise<LoadedGraph>;
  /** One after another; each takes its inputs from the outputs before it, the others from `feeds`. */
  run(graphs: readonly LoadedGraph[], feeds: Feeds): Promise<Inferred>;
  release(graph: LoadedGraph): Promise<void>;
}

/**
 * Threads that wait for their graph's next run by spinning take the cores from the graph that is running
 * now, and from everything else here: with three graphs in turn on two cores a slice took twice as long.
 */
const NO_SPINNING = { session: { intra_op: { allow_spinning: '0' } } };

type Tensors = Readonly<Record<string, Tensor>>;

/** In the calling thread, which every run blocks: onnxruntime-node runs graphs synchronously. */
export class GraphsInThisThread implements GraphHost {
  private readonly sessions: InferenceSession[] = [];

  async load(bytes: Uint8Array, provider: Provider, threads: number): Promise<LoadedGraph> {
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      graphOptimizationLevel: 'all',
      extra: NO_SPINNING,
    });
    return {
      id: this.sessions.push(session) - 1,
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      onnxRuntimeVersion: ort.env.versions.node ?? 'unknown',
    };
  }

  async run(graphs: readonly LoadedGraph[], feeds: Feeds): Promise<Inferred> {
    let known = toOrt(feeds);
    let outputs: Tensors = {};
    const seconds: number[] = [];
    for (const { id } of graphs) {
      const startedMs = performance.now();
      // A session takes the inputs that it has from what it is given, and leaves the others.
      outputs = float32(await this.sessions[id]!.run(known));
      seconds.push((performance.now() - startedMs) / 1000);
      known = { ...known, ...outputs };
    }
    return { outputs: fromOrt(outputs), seconds };
  }

  release({ id }: LoadedGraph): Promise<void> {
    return this.sessions[id]!.release();
  }
}

const toOrt = (feeds: Feeds): Tensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [
      name,
      new ort.Tensor('float32', data, dims),
    ]),
  );

function float32(outputs: InferenceSession.OnnxValueMapType): Tensors {
  for (const [name, tensor] of Object.entries(outputs))
    if (!(tensor.data instanceof Float32Array))
      throw new Error(`output "${name}" holds ${tensor.type}, not float32`);
  return outputs as Tensors;
}

const fromOrt = (tensors: Tensors): Feeds =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, dims }]) => [
      name,
      { data: data as Float32Array, dims },
    ]),
  );
