import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { DirStore } from '../../adapters/dir-store.ts';
import { openRuntime, type Runtime } from '../../adapters/onnx.ts';
import type { BundleManifest } from '../../core/contract/bundle.ts';
import type { FloatTensor } from '../../core/ports.ts';
import { CamPrompter } from '../../core/slice/cam.ts';
import { chooseMasks, promptFeeds } from '../../core/slice/segment-slices.ts';
import { openBundle } from '../../core/stage/open-bundle.ts';
import { TINY_BUNDLE } from '../support/case.ts';

/** `golden.json`, see docs/bundle.md: tensors that PyTorch made. */
const Golden = z.object({
  data: z.string(),
  cases: z
    .array(
      z.object({
        name: z.string(),
        camSource: z.enum(['classifier', 'synthetic']),
        camEmpty: z.boolean(),
        selected: z.int(),
        tensors: z.array(
          z.object({
            name: z.string(),
            dtype: z.enum(['float32', 'uint8']),
            shape: z.array(z.int()),
            byteOffset: z.int(),
          }),
        ),
      }),
    )
    .min(1),
});
type GoldenCase = z.infer<typeof Golden>['cases'][number];

const BUNDLES = [
  TINY_BUNDLE,
  fileURLToPath(new URL('../../bundle', import.meta.url)),
  process.env.SAMMIX_TEST_BUNDLE,
].filter((folder): folder is string => folder !== undefined && existsSync(folder));

describe.each(BUNDLES.map((folder) => [path.basename(folder), folder]))(
  'bundle %s replays PyTorch',
  (_, folder) => {
    let manifest: BundleManifest;
    let runtime: Runtime;
    let cases: GoldenCase[];
    let bytes: Buffer;

    beforeAll(async () => {
      const bundle = await openBundle(new DirStore(folder), folder);
      manifest = bundle.manifest;
      runtime = await openRuntime(bundle, { threads: 1, providers: ['cpu'] });
      const golden = Golden.parse(
        JSON.parse(await readFile(path.join(folder, manifest.golden.file), 'utf8')),
      );
      cases = golden.cases;
      bytes = await readFile(path.join(folder, golden.data));
    });
    afterAll(() => runtime?.close());

    /** A golden tensor as float32. */
    function tensor(one: GoldenCase, name: string): FloatTensor {
      const spec = one.tensors.find((candidate) => candidate.name === name)!;
      const count = spec.shape.reduce((product, size) => product * size, 1);
      const at = (index: number): number =>
        spec.dtype === 'uint8'
          ? bytes[spec.byteOffset + index]!
          : bytes.readFloatLE(spec.byteOffset + index * 4);
      return { data: Float32Array.from({ length: count }, (_, i) => at(i)), dims: spec.shape };
    }

    it('classifier: logit and CAM', async () => {
      for (const one of cases) {
        const image = tensor(one, 'image');
        const { outputs } = await runtime.infer(['classifier'], { image });
        const { cam, logits } = manifest.golden.tolerance;
        expect(gap(outputs.logit!, tensor(one, 'logit')), one.name).toBeLessThanOrEqual(logits);
        if (one.camSource === 'classifier')
          expect(gap(outputs.cam!, tensor(one, 'cam')), one.name).toBeLessThanOrEqual(cam);
      }
    });

    it('CAM prompt: mask and box, to the pixel', () => {
      for (const one of cases) {
        const cam = tensor(one, 'cam');
        const prompter = new CamPrompter(
          cam.dims.at(-1)!,
          manifest.preprocess.sliceSizePx,
          manifest.cam,
        );
        const prompt = prompter.prompt(cam.data);
        expect(prompt.empty, one.name).toBe(one.camEmpty);
        expect(prompt.box, one.name).toEqual([...tensor(one, 'box').data]);
        const expected = Uint8Array.from(tensor(one, 'cam_mask').data);
        expect(Buffer.compare(prompt.mask, expected), one.name).toBe(0);
      }
    });

    it('encoder and decoder: scores, chosen mask, its logits and its pixels', async () => {
      const { logits: tolerance, maskFraction } = manifest.golden.tolerance;
      for (const one of cases) {
        const image = tensor(one, 'image');
        const prompt = {
          mask: Uint8Array.from(tensor(one, 'cam_mask').data),
          box: [...tensor(one, 'box').data] as [number, number, number, number],
          areaPx: 0,
          empty: one.camEmpty,
        };
        const size = manifest.preprocess.sliceSizePx;
        const feeds = { image, ...promptFeeds([prompt], size) };
        const { outputs: decoded } = await runtime.infer(['encoder', 'decoder'], feeds);
        expect(gap(decoded.scores!, tensor(one, 'scores')), one.name).toBeLessThanOrEqual(
          tolerance,
        );
        const [chosen] = chooseMasks(decoded.mask_logits!, decoded.scores!);
        const expected = tensor(one, 'mask_logits').data;
        expect(
          gap({ data: chosen!.logits, dims: [] }, { data: expected, dims: [] }),
          one.name,
        ).toBeLessThanOrEqual(tolerance);
        const differing = expected.filter((value, at) => value > 0 !== chosen!.logits[at]! > 0);
        expect(differing.length / expected.length, one.name).toBeLessThanOrEqual(maskFraction);
      }
    });
  },
);

/** Largest absolute difference. */
function gap(a: FloatTensor, b: FloatTensor): number {
  expect(a.data.length).toBe(b.data.length);
  return a.data.reduce((largest, value, at) => Math.max(largest, Math.abs(value - b.data[at]!)), 0);
}
