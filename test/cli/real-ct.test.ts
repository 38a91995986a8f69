import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { temporaryFolder } from '../support/case.ts';

const DATA = path.resolve(process.env.SAMMIX_DATA ?? '../shared/data');
const present = existsSync(DATA);
if (!present) console.warn(`SKIPPED: segmenting real CT; there is none at ${DATA} (SAMMIX_DATA)`);

/**
 * Test patients, never trained on. The floors lie a little below what docs/validation.md reports: they
 * catch a pipeline that broke, not a model that got a little better or worse.
 */
describe.skipIf(!present)('the default bundle on real CT', () => {
  it.each([
    ['volumes_ircad', 'ircad_09', 0.85],
    ['volumes', 'totalseg_3mm', 0.6],
  ])('%s/%s: Dice of at least %s', async (folder, name, floor) => {
    const out = await temporaryFolder();
    const file = (kind: string): string => path.join(DATA, folder, `${name}_${kind}.nii.gz`);
    const { summary, exitCode } = await runCommand(
      [file('ct')],
      {
        out,
        label: file('liver'),
        slicesPerJob: 32,
        postprocess: true,
        force: false,
        threads: 2,
      },
      silentProgress,
    );
    expect(exitCode).toBe(0);
    expect(summary.meanDice).toBeGreaterThan(floor);
  });
});
