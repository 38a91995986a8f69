import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { S3Store } from '../../adapters/s3-store.ts';
import { siteStatus, type TrainingStatus } from '../../cli/site/status.ts';
import { requestTraining } from '../../cli/site/train.ts';
import { openBundle } from '../../core/stage/open-bundle.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { CandidateBundle, type TrainRequest, TrainResult } from '../../site/contract/training.ts';
import { listTrainings } from '../../site/training/records.ts';
import { json, until } from './cases.ts';
import { TRAINER, TRAINER_PYTHON } from './emulator.ts';

const run = promisify(execFile);

const hasTrainer = existsSync(TRAINER_PYTHON);
if (!hasTrainer)
  console.log(`\nSKIPPED: the training job; it needs ${TRAINER_PYTHON}, which "npm test" makes.\n`);

const REQUEST: TrainRequest = {
  schemaVersion: 1,
  id: 'drawn-5',
  dataPrefix: 'training/data/drawn/',
  config: {
    size: 'tiny',
    labels: '5',
    steps: 2,
    labelled_per_step: 2,
    unlabelled_per_step: 1,
    classifier_positives_per_step: 2,
    negatives_per_step: 2,
  },
};

interface At {
  readonly site: S3Store;
  readonly work: string;
}

/** The deployed training job trains for real, on drawings and for two steps. */
export function trainingTests(at: () => At): void {
  describe('a training request', () => {
    it.skipIf(!hasTrainer)('becomes a bundle that is a candidate, and not active', async () => {
      const { site, work } = at();
      const active = await site.get(cloudKeys.activeBundle);
      await uploadDrawings(site, work);
      await requestTraining(site, REQUEST);
      const { bundlePrefix } = await ended(site, REQUEST.id, 'trained');

      const result = TrainResult.parse(await json(site, cloudKeys.trainingResult(REQUEST.id)));
      expect(result).toMatchObject({ id: REQUEST.id, steps: 2, bundlePrefix });
      const candidate = await json(site, cloudKeys.candidate(result.bundleDigest));
      expect(CandidateBundle.parse(candidate)).toMatchObject({
        prefix: bundlePrefix,
        digest: result.bundleDigest,
        trainingId: REQUEST.id,
      });
      // Every file is there, with the digest that the manifest names.
      const { digest } = await openBundle(site.below(`${bundlePrefix}/`), REQUEST.id);
      expect(digest).toBe(result.bundleDigest);
      expect(await site.get(cloudKeys.activeBundle)).toEqual(active);
      const { records } = await listTrainings(site);
      expect(records.find(({ id }) => id === REQUEST.id)?.cost?.gpuSeconds).toBeGreaterThan(0);
    });

    it.skipIf(!hasTrainer)('for data that are not there ends with the reason', async () => {
      const { site } = at();
      const id = 'no-data';
      await requestTraining(site, { ...REQUEST, id, dataPrefix: 'training/data/none/' });
      const { reason } = await ended(site, id, 'failed');
      expect(reason).toContain('exit code 3');
    });

    it('that is not one gets the reason beside it', async () => {
      const { site } = at();
      await site.put(cloudKeys.trainingRequest('odd'), Buffer.from('{"steps": 4000}'));
      const { reason } = await ended(site, 'odd', 'refused');
      expect(reason).toContain('schemaVersion');
    });
  });
}

const ended = (
  site: S3Store,
  id: string,
  state: TrainingStatus['state'],
): Promise<TrainingStatus> =>
  until(`the training ${id} to be ${state}`, async () => {
    const found = (await siteStatus(site)).trainings.find((one) => one.id === id);
    if (found?.state !== state && ['failed', 'refused', 'trained'].includes(found?.state ?? ''))
      throw new Error(`${id} is ${found?.state}: ${found?.reason}`);
    return found?.state === state ? found : undefined;
  });

/** A data set as the trainer's README describes it, made by the trainer's own tests. */
async function uploadDrawings(site: S3Store, work: string): Promise<void> {
  const folder = path.join(work, 'drawings');
  const code =
    'import sys, pathlib; from tests.drawn_data import write_data_folder; ' +
    'write_data_folder(pathlib.Path(sys.argv[1]))';
  await run(TRAINER_PYTHON, ['-B', '-c', code, folder], { cwd: TRAINER });
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = path.join(entry.parentPath, entry.name);
    const key = REQUEST.dataPrefix + path.relative(folder, file).replaceAll(path.sep, '/');
    await site.put(key, await readFile(file));
  }
}
