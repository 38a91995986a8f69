import { appendFile, cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DirStore } from '../../../adapters/dir-store.ts';
import { openRuntime } from '../../../adapters/onnx.ts';
import { openBundle } from '../../../core/stage/open-bundle.ts';
import { openTinyBundle, TINY_BUNDLE, temporaryFolder } from '../../support/case.ts';

async function damaged(damage: (folder: string) => Promise<void>) {
  const folder = await temporaryFolder();
  await cp(TINY_BUNDLE, folder, { recursive: true });
  await damage(folder);
  return openBundle(new DirStore(folder), 'my-bundle');
}

/** Changes the manifest before it is read. */
const edited = (edit: (manifest: Record<string, never>) => void) =>
  damaged(async (folder) => {
    const file = path.join(folder, 'bundle.json');
    const manifest = JSON.parse(await readFile(file, 'utf8'));
    edit(manifest);
    await writeFile(file, JSON.stringify(manifest));
  });

// biome-ignore lint/suspicious/noExplicitAny: tests break the manifest on purpose.
type Broken = any;

describe('opening a bundle', () => {
  it('reads and verifies every file', async () => {
    const bundle = await openTinyBundle();
    expect(bundle.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(bundle.graphs.encoder.bytes.length).toBeGreaterThan(1000);
  });

  it('names a missing file', async () => {
    const opening = damaged((folder) => rm(path.join(folder, 'encoder.onnx')));
    await expect(opening).rejects.toMatchObject({ code: 'bundle-file-missing' });
    await expect(opening).rejects.toThrow(/my-bundle\/encoder\.onnx/);
  });

  it('names a corrupted file', async () => {
    const opening = damaged((folder) => appendFile(path.join(folder, 'decoder.onnx'), 'x'));
    await expect(opening).rejects.toMatchObject({ code: 'bundle-file-corrupted' });
    await expect(opening).rejects.toThrow(
      /my-bundle\/decoder\.onnx: expected \d+ bytes with sha256/,
    );
  });

  it('refuses a manifest that is not JSON', async () => {
    const opening = damaged((folder) => writeFile(path.join(folder, 'bundle.json'), '{'));
    await expect(opening).rejects.toThrow(/bundle\.json: .*found text that is not JSON/);
  });

  it.each<[string, (manifest: Broken) => void, RegExp]>([
    ['another schema version', (m) => (m.schemaVersion = 2), /schemaVersion/],
    ['an unknown field', (m) => (m.surprise = 1), /surprise/],
    ['a window upside down', (m) => (m.preprocess.windowHu = [240, -160]), /windowHu/],
    [
      'a graph that is not hashed',
      (m) =>
        m.files.splice(
          m.files.findIndex((f: Broken) => f.path === 'encoder.onnx'),
          1,
        ),
      /an entry with the sha256 of/,
    ],
    [
      'a decoder that takes another embedding',
      (m) => (m.decoder.graph.inputs[0].shape[1] = 7),
      /decoder\.graph\.inputs: "embedding" with shape/,
    ],
    ['a classifier without CAM', (m) => m.classifier.graph.outputs.pop(), /named "cam"/],
  ])('refuses %s', async (_, edit, message) => {
    const opening = edited(edit);
    await expect(opening).rejects.toMatchObject({ code: 'bundle-manifest-invalid' });
    await expect(opening).rejects.toThrow(message);
  });

  it('refuses a graph whose tensors are not those of the manifest', async () => {
    const bundle = await openTinyBundle();
    const { encoder, classifier } = bundle.graphs;
    const swapped = { ...bundle.graphs, encoder: { ...encoder, bytes: classifier.bytes } };
    const opening = openRuntime({ ...bundle, graphs: swapped }, { threads: 1, providers: ['cpu'] });
    await expect(opening).rejects.toMatchObject({ code: 'graph-tensors-differ' });
  });

  it('refuses bytes that are no graph', async () => {
    const bundle = await openTinyBundle();
    const broken = { ...bundle.graphs.encoder, bytes: new Uint8Array(100) };
    const graphs = { ...bundle.graphs, encoder: broken };
    const opening = openRuntime({ ...bundle, graphs }, { threads: 1, providers: ['cpu'] });
    await expect(opening).rejects.toMatchObject({ code: 'graph-does-not-load' });
  });
});
