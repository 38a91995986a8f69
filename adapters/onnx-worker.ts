// The thread of adapters/onnx-thread.ts: loads graphs and runs them, one message at a time.
import { parentPort, workerData } from 'node:worker_threads';
import { type Reply, type Request, THREAD_STATE } from './onnx-messages.ts';
import { GraphsInThisThread } from './onnx-session.ts';

const host = new GraphsInThisThread();

async function answer(id: number, request: Request): Promise<Reply> {
  switch (request.kind) {
    case 'load':
      return { id, loaded: await host.load(request.bytes, request.provider, request.threads) };
    case 'run':
      return { id, inferred: await host.run(request.graphs, request.feeds) };
    case 'release':
      await host.release(request.graph);
      return { id };
  }
}

async function replyTo(id: number, request: Request, state: Int32Array): Promise<Reply> {
  Atomics.store(state, THREAD_STATE.busy, 1);
  try {
    if (Atomics.load(state, THREAD_STATE.closing) === 1) return { id, failure: 'closing' };
    return await answer(id, request);
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : String(error) };
  } finally {
    Atomics.store(state, THREAD_STATE.busy, 0);
    Atomics.notify(state, THREAD_STATE.busy);
  }
}

let replied: Promise<void> = Promise.resolve();
parentPort?.on('message', ({ id, request }: { id: number; request: Request }) => {
  replied = replied.then(async () => {
    const reply = await replyTo(id, request, workerData as Int32Array);
    parentPort?.postMessage(reply, buffersOf(reply));
  });
});

/** Handed over to the caller's thread: each tensor is the only view of its buffer. */
const buffersOf = (reply: Reply): ArrayBuffer[] =>
  'inferred' in reply
    ? Object.values(reply.inferred.outputs).map(({ data }) => data.buffer as ArrayBuffer)
    : [];
