import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { readInstance } from '../../dicom/instance.ts';
import { FrameReader } from '../../dicom/pixels.ts';
import { bundleFunctions } from '../../infra/bundle-functions.ts';
import { filesOf } from '../dicom/golden.ts';
import { temporaryFolder } from '../support/case.ts';

it('a function decodes DICOM from what is in its folder alone', async () => {
  const folder = await temporaryFolder();
  const entry = path.resolve(import.meta.dirname, '../../dicom/pixels');
  await bundleFunctions(folder, [entry]);
  const bundled: typeof import('../../dicom/pixels.ts') = await import(
    pathToFileURL(path.join(folder, 'pixels', 'index.mjs')).href
  );
  for (const syntax of ['jpeg-ls', 'jpeg-2000', 'htj2k', 'jpeg-8-bit', 'jpeg-lossless', 'rle']) {
    const [file] = await filesOf(`syntax-${syntax}`);
    const instance = await readInstance(file!);
    const hu = await new bundled.FrameReader(instance!).read(0);
    expect(hu, syntax).toEqual(await new FrameReader(instance!).read(0));
  }
});
