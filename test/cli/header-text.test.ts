import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { serialiseHeader, withoutText } from '../../core/volume/header.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { once, phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { filesWith, withPlantedText } from '../support/planted.ts';

/** Short enough for the shortest field that could name somebody. */
const NAME = 'Q.Zeta9';

const { image } = phantomFile({ seed: 1, columns: 24, rows: 20, slices: 8 });

async function outputsWith(options: { readonly headerText?: boolean }): Promise<string[]> {
  const folder = await temporaryFolder();
  const input = path.join(folder, 'c1.nii');
  await writeFile(input, withPlantedText(image, NAME));
  const out = path.join(folder, 'out');
  const { exitCode } = await runCommand(
    [input],
    {
      out,
      bundle: TINY_BUNDLE,
      threads: 1,
      slicesPerJob: 32,
      postprocess: true,
      force: false,
      probability: true,
      ...options,
    },
    silentProgress,
  );
  expect(exitCode).toBe(0);
  return filesWith(out, NAME);
}

describe("free text of the input's header", () => {
  it('is in no output', async () => {
    expect(await outputsWith({})).toEqual([]);
  });

  it('is where it was asked for: in volumes and reports', async () => {
    expect(await outputsWith({ headerText: true })).toEqual([
      'c1/mask.nii.gz',
      'c1/probability.nii.gz',
      'c1/report.json',
    ]);
  });

  it('is all that goes: the geometry and every other field stay', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[!-~]{1,60}$/), async (text) => {
        const planted = await openNifti(once(withPlantedText(image, text)), { subject: 'planted' });
        const plain = await openNifti(once(image), { subject: 'plain' });
        const cleaned = withoutText(planted.header);
        const bytes = Buffer.from(serialiseHeader(cleaned));
        // The offset of the voxels is the file's, and set where a mask is written.
        bytes.writeFloatLE(352, 108);
        expect(bytes).toEqual(Buffer.from(serialiseHeader(withoutText(plain.header))));
        expect(withoutText(cleaned)).toEqual(cleaned);
        expect(planted.geometry).toEqual(plain.geometry);
      }),
      { numRuns: 30 },
    );
  });
});
