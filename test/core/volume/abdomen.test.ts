import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentText, liesInAbdomen, showsAbdomen } from '../../../core/volume/abdomen.ts';
import { openNifti } from '../../../core/volume/reader.ts';
import { ScanContent } from '../../../core/volume/scan-content.ts';

import { once } from '../../support/case.ts';
import { sharedFolder } from '../../support/shared.ts';
import { contentOf, SECTIONS, type Section, SLICE_MM } from './drawn-body.ts';

const times = (count: number, section: Section): Section[] => Array(count).fill(section);

const ABDOMENS: readonly Section[] = ['abdomen', 'abdomen of a slight person', 'dome of the liver'];

describe('whether a drawn scan shows an abdomen', () => {
  it.each((Object.keys(SECTIONS) as Section[]).map((section) => ({ section })))(
    '$section',
    ({ section }) => {
      const content = contentOf(...times(12, section));
      expect(showsAbdomen(content, SLICE_MM), contentText(content)).toBe(
        ABDOMENS.includes(section),
      );
    },
  );

  it('a whole trunk does, and a mask in it lies there or elsewhere', () => {
    const trunk = contentOf(
      ...times(8, 'both thighs, touching'),
      ...times(8, 'hips'),
      ...times(12, 'abdomen'),
      ...times(4, 'dome of the liver'),
      ...times(8, 'heart'),
      ...times(8, 'shoulders'),
    );
    const mask = (from: number, to: number): number[] =>
      trunk.map((_, k) => (k >= from && k < to ? 100 : 0));
    expect(showsAbdomen(trunk, SLICE_MM)).toBe(true);
    expect(liesInAbdomen(trunk, SLICE_MM, mask(18, 32))).toBe(true);
    expect(liesInAbdomen(trunk, SLICE_MM, mask(30, 34))).toBe(true);
    for (const [from, to] of [
      [0, 8],
      [8, 16],
      [33, 40],
      [40, 48],
    ] as const)
      expect(liesInAbdomen(trunk, SLICE_MM, mask(from, to)), `${from} to ${to}`).toBe(false);
    expect(liesInAbdomen(trunk, SLICE_MM, mask(0, 0))).toBe(true);
  });

  it('bone that cannot be seen speaks for nothing: thick slices, osteoporosis', () => {
    const content = contentOf(...times(12, 'abdomen')).map((slice) => ({
      ...slice,
      bone: 0.0015,
      spine: 0,
      boneAhead: -0.2,
    }));
    expect(showsAbdomen(content, SLICE_MM)).toBe(true);
  });
});

const data = sharedFolder('data', 'parts of real scans');

/** Parts of whole scans, by canonical slice. */
describe.skipIf(data === undefined)('whether a part of a real scan shows an abdomen', () => {
  it.each([
    ['totalseg_3mm_ct', [0, 20], false, 'hips'],
    ['totalseg_3mm_ct', [0, 40], false, 'pelvis'],
    ['totalseg_3mm_ct', [45, 65], true, 'below the liver'],
    ['totalseg_3mm_ct', [90, 105], true, 'liver alone'],
    ['cort_unlabelled_ct', [90, 130], true, 'liver'],
    ['cmb_crc_unlabelled_ct', [0, 12], true, 'dome of the liver'],
    ['cmb_crc_unlabelled_ct', [15, 55], false, 'heart'],
    ['cmb_crc_unlabelled_ct', [75, 100], false, 'shoulders'],
  ] as const)('%s %j: %s (%s)', async (name, [from, to], shown, _what) => {
    const file = path.join(data!, 'volumes', `${name}.nii.gz`);
    const reader = await openNifti(once(readFileSync(file)), { subject: name });
    const content = new ScanContent(reader.geometry.grid);
    for await (const { hu, index } of reader.axialSlices()) content.add(hu, index);
    const part = content.slices().slice(from, to);
    expect(showsAbdomen(part, reader.geometry.grid.spacingMm.slice), contentText(part)).toBe(shown);
  });
});
