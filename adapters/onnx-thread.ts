import { Worker } from 'node:worker_threads';
import type { Feeds, FloatTensor } from '../core/ports.ts';
import type { OpenBundle } from '../core/stage/open-bundle.ts';
import { openRuntime, type Runtime, type RuntimeOptions } from './onnx.ts';
import {
  type Created,
  type KeptTensor,
  type Reply,
  type Request,
  THREAD_STATE,
} from './onnx-messages.ts';
import type { CreateSession } from './onnx-session.ts';

/**
 * `openRuntime` with the graphs in a thread of their own, so that the caller reads, draws and writes
 * while they run. Tensors are copied on their way in and out, but for outputs that are fed on to the next
 * graph: these must not be written to.
 */
export async function openRuntimeInThread(
  bundle: Promise<OpenBundle>,
  options: RuntimeOptions,
): Promise<Runtime> {
  // It starts while the bundle is still being read and verified.
  const thread = new GraphThread();
  try {
    const runtime = await openRuntime(await bundle, options, thread.createSession);
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

class GraphThread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly state = new Int32Array(new SharedArrayBuffer(4 * THREAD_STATE.length));
  /** The last run of each session, and which run's output an array is. */
  private readonly latest = new Map<number, symbol>();
  private readonly origin = new WeakMap<Float32Array, KeptTensor & { readonly run: symbol }>();
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

  readonly createSession: CreateSession = async (bytes, provider, threads) => {
    const request: Request = { kind: 'create', bytes, provider, threads };
    const { session, ...facts } = (await this.ask(request)) as Created;
    return {
      ...facts,
      run: (feeds) => this.run(session, feeds),
      release: async () => {
        await this.ask({ kind: 'release', session });
      },
    };
  };

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

  /** Outputs that are fed on unchanged are not sent back: the thread has them still. */
  private async run(session: number, given: Feeds): Promise<Feeds> {
    const feeds: Record<string, FloatTensor> = {};
    const kept: Record<string, KeptTensor> = {};
    for (const [input, tensor] of Object.entries(given)) {
      const here = this.origin.get(tensor.data);
      if (here && this.latest.get(here.session) === here.run)
        kept[input] = { session: here.session, output: here.output };
      else feeds[input] = tensor;
    }
    const run = Symbol();
    this.latest.set(session, run);
    const outputs = (await this.ask({ kind: 'run', session, feeds, kept })) as Feeds;
    for (const [output, { data }] of Object.entries(outputs))
      this.origin.set(data, { session, output, run });
    return outputs;
  }

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
    else if ('tensors' in reply) resolve(reply.tensors);
    else resolve('created' in reply ? reply.created : undefined);
  }

  private fail(error: Error): void {
    this.ended = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
