import './telemetry-off.ts';
import { Worker } from 'node:worker_threads';
import type { Feeds, Inferred } from '../core/ports.ts';
import type { OpenBundle } from '../core/stage/open-bundle.ts';
import { openRuntime, type Runtime, type RuntimeOptions } from './onnx.ts';
import { type Reply, type Request, THREAD_STATE } from './onnx-messages.ts';
import type { GraphHost, LoadedGraph, Provider } from './onnx-session.ts';

/**
 * `openRuntime` with the graphs in a thread of their own, so that the caller reads, draws and writes
 * while they run. Feeds are copied on their way in; outputs are handed over.
 */
export async function openRuntimeInThread(
  bundle: Promise<OpenBundle>,
  options: RuntimeOptions,
): Promise<Runtime> {
  // It starts while the bundle is still being read and verified.
  const thread = new GraphThread();
  try {
    const runtime = await openRuntime(await bundle, options, thread);
    const close = async (): Promise<void> => {
      await runtime.close();
      await thread.close();
    };
    return { ...runtime, close };
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** Far more than a batch takes on one slow core. */
const LONGEST_GRAPH_MS = 60_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

class GraphThread implements GraphHost {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly state = new Int32Array(new SharedArrayBuffer(4 * THREAD_STATE.length));
  private asked = 0;
  private ended: Error | undefined;

  constructor() {
    // Without the caller's own flags: the worker's file brings its loader along.
    const file = new URL('./onnx-worker.mjs', import.meta.url);
    this.worker = new Worker(file, { execArgv: [], workerData: this.state });
    process.on('exit', this.leave);
    this.worker.on('message', (reply: Reply) => this.settle(reply));
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => this.fail(new Error('the thread of the graphs has ended')));
  }

  async load(bytes: Uint8Array, provider: Provider, threads: number): Promise<LoadedGraph> {
    return (await this.ask({ kind: 'load', bytes, provider, threads })) as LoadedGraph;
  }

  /** What passes from one graph to the next never leaves the thread. */
  async run(graphs: readonly LoadedGraph[], feeds: Feeds): Promise<Inferred> {
    return (await this.ask({ kind: 'run', graphs, feeds })) as Inferred;
  }

  async release(graph: LoadedGraph): Promise<void> {
    await this.ask({ kind: 'release', graph });
  }

  async close(): Promise<void> {
    this.leave();
    process.off('exit', this.leave);
    await this.worker.terminate();
  }

  /**
   * Waits for the graph that is running, and lets no other begin: a thread that is stopped inside ONNX
   * Runtime takes the whole process down.
   */
  private readonly leave = (): void => {
    Atomics.store(this.state, THREAD_STATE.closing, 1);
    Atomics.wait(this.state, THREAD_STATE.busy, 1, LONGEST_GRAPH_MS);
  };

  private ask(request: Request): Promise<unknown> {
    if (this.ended) return Promise.reject(this.ended);
    const id = this.asked++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request });
    });
  }

  private settle(reply: Reply): void {
    const { resolve, reject } = this.waiting.get(reply.id)!;
    this.waiting.delete(reply.id);
    if ('failure' in reply) reject(new Error(reply.failure));
    else if ('inferred' in reply) resolve(reply.inferred);
    else resolve('loaded' in reply ? reply.loaded : undefined);
  }

  private fail(error: Error): void {
    this.ended = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
