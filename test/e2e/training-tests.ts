import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { S3Store } from '../../adapters/s3-store.ts';
import { silentProgress } from '../../cli/progress.ts';
import { promoteBundle } from '../../cli/site/promote.ts';
import { siteStatus, type TrainingStatus } from '../../cli/site/status.ts';
import { submitCases } from '../../cli/site/submit.ts';
import { requestTraining, trainRequestOf } from '../../cli/site/train.ts';
import { openBundle } from '../../core/stage/open-bundle.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import {
  CandidateBundle,
  TrainingUploads,
  type TrainRequest,
  TrainResult,
} from '../../site/contract/training.ts';
import { listTrainings } from '../../site/training/records.ts';
import { json, segmented, until } from './cases.ts';
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

    it.skipIf(!hasTrainer)(
      'of labelled uploads fits a bundle to them, and the gate decides on it',
      async () => {
        const { site, work } = at();
        await uploadLabelled(site, work);
        const { bundlePrefix: startFrom } = await ended(site, REQUEST.id, 'trained');
        const options = { id: 'own-uploads', dataset: 'liver', target: 'liver', labels: '5' };
        const request = trainRequestOf({ ...options, steps: '2', startFrom: startFrom! });
        await requestTraining(site, request);
        const { bundlePrefix } = await ended(site, request.id, 'trained');

        const key = cloudKeys.trainingUploads(request.id);
        const pinned = TrainingUploads.parse(await json(site, key));
        expect(pinned.bundlePrefix).toBe(startFrom);
        const named = pinned.cases.map(({ caseId }) => caseId);
        expect(named).toEqual(expect.arrayContaining(['own-1', 'own-2', 'own-3']));
        for (const { label } of pinned.cases)
          expect((await site.stat(label.key))?.version).toBe(label.version);
        const { manifest } = await openBundle(site.below(`${bundlePrefix}/`), request.id);
        expect(manifest.target.name).toBe('liver');
        expect(manifest.training.labelledSlices).toBe(5);
        const candidate = await json(
          site,
          cloudKeys.candidate(
            TrainResult.parse(await json(site, cloudKeys.trainingResult(request.id))).bundleDigest,
          ),
        );
        expect(CandidateBundle.parse(candidate)).toMatchObject({ trainingId: request.id });

        const gate = { dataset: 'liver', wait: true };
        const { decision } = await promoteBundle(site, bundlePrefix!, gate, silentProgress);
        // Two steps make no model that is better: what counts is that the gate has looked at it.
        expect(decision?.promoted).toBe(false);
        expect(decision?.candidate.evaluationId).not.toBeNull();
      },
    );

    it('that is not one gets the reason beside it', async () => {
      const { site } = at();
      await site.put(cloudKeys.trainingRequest('odd'), Buffer.from('{"steps": 4000}'));
      const { reason } = await ended(site, 'odd', 'refused');
      expect(reason).toContain('schemaVersion');
    });
  });
}

/** Small scans with labels, as a site's people upload them; and what the classes are called. */
async function uploadLabelled(site: S3Store, work: string): Promise<void> {
  const names = { labels: { background: 0, liver: 1, lesion: 2, ignore: 3 } };
  await site.put(cloudKeys.datasetJson('liver'), Buffer.from(JSON.stringify(names)));
  for (const seed of [1, 2, 3]) {
    const scan = phantomCase({ seed: 40 + seed, columns: 96, rows: 96, slices: 12 });
    // Half of the last one's slices nobody looked at.
    if (seed === 3) scan.label.fill(3, scan.label.length / 2);
    const { ct, label } = encodePhantom(scan);
    const [image, labels] = ['', '_label'].map((end) =>
      path.join(work, `own-${seed}${end}.nii.gz`),
    ) as [string, string];
    await writeFile(image, gzipSync(ct));
    await writeFile(labels, gzipSync(label));
    await submitCases(site, [image], { dataset: 'liver', label: labels }, silentProgress);
  }
  for (const seed of [1, 2, 3]) await segmented(site, `own-${seed}`);
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
