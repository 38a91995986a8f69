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

describe('graphs in a thread of their own', () => {
  it('give what they give in this one, bit by bit', async () => {
    const [here, there] = [
      await openTinyRuntime(),
      await openRuntimeInThread(openTinyBundle(), OPTIONS),
    ];
    onTestFinished(() => here.close());
    onTestFinished(() => there.close());
    expect(there.backend).toEqual(here.backend);
    const prompts: Feeds = {
      cam_mask: { data: new Float32Array(2 * 256 * 256).fill(1), dims: [2, 1, 256, 256] },
      box: { data: Float32Array.from([9, 9, 99, 99, 5, 5, 250, 250]), dims: [2, 4] },
    };
    // The decoder takes the encoder's outputs, which stay in the thread; once more, when they are gone.
    const first = [await here.infer('encoder', image()), await there.infer('encoder', image())];
    const steps = [
      ['classifier', [image(), image()]],
      ['encoder', [image(), image()]],
      ['decoder', first.map((encoded) => ({ ...encoded, ...prompts }))],
    ] as const;
    for (const [graph, [mine, theirs]] of steps) {
      const [a, b] = [await here.infer(graph, mine!), await there.infer(graph, theirs!)];
      expect(Object.keys(b).sort()).toEqual(Object.keys(a).sort());
      for (const [name, { data, dims }] of Object.entries(a)) {
        expect(b[name]!.dims, name).toEqual(dims);
        expect(Buffer.compare(asBytes(b[name]!.data), asBytes(data)), name).toBe(0);
      }
    }
  });

  it('take what they gave, or what was made here, alike', async () => {
    const runtime = await openRuntimeInThread(openTinyBundle(), OPTIONS);
    onTestFinished(() => runtime.close());
    const prompts: Feeds = {
      cam_mask: { data: new Float32Array(2 * 256 * 256).fill(1), dims: [2, 1, 256, 256] },
      box: { data: Float32Array.from([9, 9, 99, 99, 5, 5, 250, 250]), dims: [2, 4] },
    };
    const encoded = await runtime.infer('encoder', image());
    const copies = Object.fromEntries(
      Object.entries(encoded).map(([name, { data, dims }]) => [name, { data: data.slice(), dims }]),
    );
    const kept = await runtime.infer('decoder', { ...encoded, ...prompts });
    const sent = await runtime.infer('decoder', { ...copies, ...prompts });
    for (const [name, { data }] of Object.entries(sent))
      expect(Buffer.compare(asBytes(kept[name]!.data), asBytes(data)), name).toBe(0);
  });

  it('leave this thread free while they run', async () => {
    const runtime = await openRuntimeInThread(openTinyBundle(), OPTIONS);
    onTestFinished(() => runtime.close());
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 0);
    await runtime.infer('encoder', image());
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
    await runtime.infer('encoder', image());
    await runtime.close();
    await expect(runtime.infer('encoder', image())).rejects.toThrow('has ended');
  });
});

const asBytes = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
