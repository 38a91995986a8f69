// The thread of adapters/onnx-thread.ts: creates sessions and runs them, one message at a time.
import { parentPort, workerData } from 'node:worker_threads';
import type { Feeds } from '../core/ports.ts';
import { type Created, type Reply, type Request, THREAD_STATE } from './onnx-messages.ts';
import { createSession, type GraphSession } from './onnx-session.ts';

type Of<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;

const sessions: GraphSession[] = [];
/** The outputs of each session's last run. */
const outputs: Feeds[] = [];

async function create({ bytes, provider, threads }: Of<'create'>): Promise<Created> {
  const session = await createSession(bytes, provider, threads);
  const { inputNames, outputNames, onnxRuntimeVersion } = session;
  return { session: sessions.push(session) - 1, inputNames, outputNames, onnxRuntimeVersion };
}

async function run({ session, feeds, kept }: Of<'run'>): Promise<Feeds> {
  const here = Object.entries(kept).map(([input, tensor]) => [
    input,
    outputs[tensor.session]![tensor.output]!,
  ]);
  outputs[session] = await sessions[session]!.run({ ...feeds, ...Object.fromEntries(here) });
  return outputs[session];
}

/** The originals stay for the graph that takes them next. */
const copied = (tensors: Feeds): Feeds =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, dims }]) => [name, { data: data.slice(), dims }]),
  );

async function replyTo(id: number, request: Request, state: Int32Array): Promise<Reply> {
  Atomics.store(state, THREAD_STATE.busy, 1);
  try {
    if (Atomics.load(state, THREAD_STATE.closing) === 1) return { id, failure: 'closing' };
    if (request.kind === 'run') return { id, tensors: copied(await run(request)) };
    if (request.kind === 'create') return { id, created: await create(request) };
    await sessions[request.session]!.release();
    return { id };
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
  'tensors' in reply
    ? Object.values(reply.tensors).map(({ data }) => data.buffer as ArrayBuffer)
    : [];
