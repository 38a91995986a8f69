import { createReadStream, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { preflight } from '../../../core/volume/preflight.ts';

const data = path.resolve(process.env.SAMMIX_DATA ?? '../shared/data');
const present = existsSync(data);
if (!present) console.warn(`skipped: no real CT at ${data}; set SAMMIX_DATA to run these tests`);

const inspect = (file: string) =>
  preflight(createReadStream(path.join(data, file), { highWaterMark: 2 ** 20 }), { subject: file });

const scans = present
  ? readdirSync(path.join(data, 'volumes_ircad'))
      .filter((name) => name.endsWith('_ct.nii.gz'))
      .slice(0, 4)
      .map((name) => `volumes_ircad/${name}`)
  : [];

describe.skipIf(!present)('real volumes', () => {
  test.each([
    ...scans,
    'volumes/ircad_17_ct.nii.gz',
    'volumes/totalseg_3mm_ct.nii.gz',
    'volumes/cort_unlabelled_ct.nii.gz',
    'volumes/cmb_crc_unlabelled_ct.nii.gz',
  ])('%s is a CT without problems', async (file) => {
    const result = await inspect(file);
    expect(result.problems).toEqual([]);
    expect(result.usable).toBe(true);
  });

  test.each([
    ['odd/CT_pitch.nii.gz', 'not-hu'],
    ['odd/fmri_pitch.nii.gz', 'not-hu'],
    ['odd/pcasl.nii.gz', 'four-dimensional'],
    ['volumes/ircad_17_liver.nii.gz', 'not-hu'],
  ])('%s is refused: %s', async (file, code) => {
    const result = await inspect(file);
    expect(result.usable).toBe(false);
    expect(result.problems[0]).toMatchObject({ code, severity: 'error' });
  });

  test('the numbers of a real CT are those of numpy', async () => {
    const { intensity } = await inspect('volumes/ircad_17_ct.nii.gz');
    expect(intensity!.summary).toMatchObject({ min: -1024, max: 1023, p01: -1024 });
    expect(Math.abs(intensity!.summary.p50 + 879)).toBeLessThanOrEqual(2);
    expect(Math.abs(intensity!.summary.p99 - 241)).toBeLessThanOrEqual(2);
  });
});
