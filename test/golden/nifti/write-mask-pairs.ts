/**
 * Writes the mask of everything above a threshold for each input, and a list for
 * test_mask_headers.py:
 *
 *     npx tsx test/golden/nifti/write-mask-pairs.ts OUT [INPUT...]
 *     SAMMIX_MASK_PAIRS=OUT/pairs.json pytest test/golden/nifti
 *
 * Always every fixture in files/, and the inputs besides.
 */
import { createReadStream, createWriteStream, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { voxelCount } from '../../../core/volume/grid.ts';
import { wholeMask, writeMask } from '../../../core/volume/mask-writer.ts';
import { openNifti } from '../../../core/volume/reader.ts';

const THRESHOLD = 5;

async function writePair(input: string, mask: string): Promise<void> {
  const reader = await openNifti(createReadStream(input), {
    subject: input,
    ...(input.endsWith('.hdr') && { imageSource: createReadStream(input.replace(/hdr$/, 'img')) }),
  });
  const { grid } = reader.geometry;
  const data = new Uint8Array(voxelCount(grid));
  for await (const { index, hu } of reader.axialSlices()) {
    const start = index * grid.rows * grid.columns;
    for (let n = 0; n < hu.length; n++) data[start + n] = hu[n]! > THRESHOLD ? 1 : 0;
  }
  const bytes = writeMask(reader.header, reader.geometry, wholeMask({ grid, data }));
  await pipeline(Readable.from(bytes), createWriteStream(mask));
}

async function main([out, ...inputs]: string[]): Promise<void> {
  if (out === undefined) throw new Error('name the output folder');
  const files = fileURLToPath(new URL('files/', import.meta.url));
  const fixtures = readdirSync(files).filter((name) => !name.endsWith('.img'));
  const all = [...fixtures.map((name) => path.join(files, name)), ...inputs];
  mkdirSync(out, { recursive: true });
  const pairs: { input: string; mask: string; threshold: number }[] = [];
  for (const [n, input] of all.entries()) {
    const mask = path.resolve(out, `mask-${n}.nii.gz`);
    await writePair(input, mask);
    pairs.push({ input: path.resolve(input), mask, threshold: THRESHOLD });
  }
  writeFileSync(path.join(out, 'pairs.json'), JSON.stringify(pairs, null, 1));
}

await main(process.argv.slice(2));
