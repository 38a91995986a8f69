import { describe, expect, it, onTestFinished } from 'vitest';
import { openRuntimeInThread } from '../../adapters/onnx-thread.ts';
import type { Feeds } from '../../core/ports.ts';
import { openTinyBundle, openTinyRuntime } from '../support/case.ts';

const OPTIONS = { threads: 1, providers: ['cpu'] } as const;

const image = (): Feeds => ({
  image: {
    data: Float32Array.from({ length: 2 * 256 * 256 }, (_, at) => (at % 251) / 251),
    dims: [2, 1, 256, 256],
  },
});

const prompts: Feeds = {
  cam_mask: { data: new Float32Array(2 * 256 * 256).fill(1), dims: [2, 1, 256, 256] },
  box: { data: Float32Array.from([9, 9, 99, 99, 5, 5, 250, 250]), dims: [2, 4] },
};

describe('graphs in a thread of their own', () => {
  it('give what they give in this one, bit by bit', async () => {
    const [here, there] = [
      await openTinyRuntime(),
      await openRuntimeInThread(openTinyBundle(), OPTIONS),
    ];
    onTestFinished(() => here.close());
    onTestFinished(() => there.close());
    expect(there.backend).toEqual(here.backend);
    for (const graphs of [['classifier'], ['encoder'], ['encoder', 'decoder']] as const) {
      const [a, b] = [
        await here.infer(graphs, { ...image(), ...prompts }),
        await there.infer(graphs, { ...image(), ...prompts }),
      ];
      expectSame(b.outputs, a.outputs);
      for (const { seconds } of [a, b]) {
        expect(seconds).toHaveLength(graphs.length);
        expect(Math.min(...seconds)).toBeGreaterThan(0);
      }
    }
  });

  it('take from one another what they would be given', async () => {
    const runtime = await openRuntimeInThread(openTinyBundle(), OPTIONS);
    onTestFinished(() => runtime.close());
    const { outputs: encoded } = await runtime.infer(['encoder'], image());
    const alone = await runtime.infer(['decoder'], { ...encoded, ...prompts });
    const inTurn = await runtime.infer(['encoder', 'decoder'], { ...image(), ...prompts });
    expectSame(inTurn.outputs, alone.outputs);
  });

  it('say which input is missing', async () => {
    const runtime = await openRuntimeInThread(openTinyBundle(), OPTIONS);
    onTestFinished(() => runtime.close());
    await expect(runtime.infer(['encoder', 'decoder'], image())).rejects.toThrow(/cam_mask|box/);
    expect((await runtime.infer(['classifier'], image())).outputs.logit!.dims).toEqual([2, 1]);
  });

  it('leave this thread free while they run', async () => {
    const runtime = await openRuntimeInThread(openTinyBundle(), OPTIONS);
    onTestFinished(() => runtime.close());
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 0);
    await runtime.infer(['encoder'], image());
    clearInterval(turning);
    expect(turns).toBeGreaterThan(0);
  });

  it('refuse a graph that does not load, and name it', async () => {
    const bundle = await openTinyBundle();
    const broken = { ...bundle.graphs.encoder, bytes: new Uint8Array(100) };
    const opening = openRuntimeInThread(
      Promise.resolve({ ...bundle, graphs: { ...bundle.graphs, encoder: broken } }),
      OPTIONS,
    );
    await expect(opening).rejects.toMatchObject({
      code: 'graph-does-not-load',
      fault: { subject: bundle.graphs.encoder.spec.file },
    });
  });

  it('reject what is asked of them after they were closed', async () => {
    const runtime = await openRuntimeInThread(openTinyBundle(), OPTIONS);
    await runtime.infer(['encoder'], image());
    await runtime.close();
    await expect(runtime.infer(['encoder'], image())).rejects.toThrow('has ended');
  });
});

function expectSame(ours: Feeds, theirs: Feeds): void {
  expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
  for (const [name, { data, dims }] of Object.entries(theirs)) {
    expect(ours[name]!.dims, name).toEqual(dims);
    expect(Buffer.compare(asBytes(ours[name]!.data), asBytes(data)), name).toBe(0);
  }
}

const asBytes = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
