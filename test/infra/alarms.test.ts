import { beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import { BundleError } from '../../core/errors.ts';
import { NO_GPU } from '../../infra/operations.ts';
import { CANARY_DATASET, canaryCase } from '../../site/contract/canary.ts';
import type { DicomSource } from '../../site/contract/dicom.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import type { MetricName } from '../../site/contract/metrics.ts';
import { imageKey, labelKey, World } from '../site/world.ts';
import { phantomFile } from '../support/case.ts';
import { templateOf } from './synth.ts';

interface Alarm {
  readonly MetricName: string;
  readonly Namespace: string;
  readonly Threshold: number;
  readonly Period: number;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: unknown }[];
}

let alarms: Alarm[];
let template: ReturnType<typeof templateOf>;
let site: World;
beforeAll(async () => {
  template = templateOf();
  alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(
    ({ Properties }) => Properties,
  );
  site = await World.open();
}, 600_000);

const of = (namespace: string): Alarm[] => alarms.filter((one) => one.Namespace === namespace);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** What goes wrong at a site, for each metric that it counts itself. */
const FAULTS: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  CasesFailed: async (world) => world.fail(await world.upload(labelKey('c1.nii'), json({}))),
  TrainingsFailed: async (world) =>
    world.fail(await world.upload(cloudKeys.trainingRequest('liver-50'), json({}))),
  CanaryScansFailed: async (world) => {
    const pointer = {
      schemaVersion: 1,
      runId: '0123456789abcdef',
      prefix: 'cases/canary/none',
      status: 'failed',
      uploadedAt: '2026-01-01T00:00:00.000Z',
    };
    const key = cloudKeys.latest(CANARY_DATASET, canaryCase(101));
    return world.deliver('canary', await world.upload(key, json(pointer)));
  },
  DicomSegsFailed: async (world) => {
    const caseId = 's0123456789abcdef';
    const { image } = phantomFile({ seed: 2, columns: 24, rows: 20, slices: 8 });
    await world.segmented(imageKey(`${caseId}.nii`), image);
    const source: DicomSource = {
      schemaVersion: 1,
      dataset: 'liver',
      caseId,
      source: { kind: 'archive', key: 'incoming/liver/dicom/gone.zip', versionId: 'v0', bytes: 1 },
      seriesInstanceUid: '1.2.3',
      part: null,
      contentSha256: '0'.repeat(64),
      volumeKey: imageKey(`${caseId}.nii`),
      volumeVersionId: world.bucket.versionOf(imageKey(`${caseId}.nii`)),
    };
    await world.store.put(cloudKeys.dicomSource('liver', caseId), json(source));
    return world.deliver('dicom-seg', world.created(cloudKeys.latest('liver', caseId)));
  },
  QueueBlocked: (world) =>
    world.deliver('watch', {
      source: 'aws.batch',
      'detail-type': 'Batch Job Queue Blocked',
      detail: { statusReason: 'MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT' },
    }),
  RunsOverdue: async (world) => {
    world.onSubmit = () => Promise.reject(new Error('throttled'));
    const upload = await world.upload(cloudKeys.incoming('liver', 'images', 'c1.hdr'), json({}));
    await world.ingest(upload);
    const [key = ''] = world.bucket
      .keys('runs/')
      .filter((one) => /^runs\/[0-9a-f]{16}\.json$/.test(one));
    const record = (await world.json(key)) as object;
    const long = '2020-01-01T00:00:00.000Z';
    const left = { ...record, state: 'claimed', claimedAt: long, uploadedAt: long };
    await world.store.put(key, json(left));
    return world.deliver('watch', { source: 'sammix.watch' });
  },
  // An alarm on silence: what keeps it quiet is that somebody counts.
  RunsOpen: (world) => world.deliver('watch', { source: 'sammix.watch' }),
};

describe('an alarm', () => {
  it("on the site's own numbers fires when what it names happens", async () => {
    const own = of('Sammix').filter(({ MetricName }) => MetricName !== 'CpuFallbacks');
    expect(own.map(({ MetricName }) => MetricName).sort()).toEqual(Object.keys(FAULTS).sort());
    for (const { MetricName, Threshold, Dimensions } of own) {
      const world = new World(site.bucket.copy());
      await FAULTS[MetricName]!(world);
      const counted = world.metrics.get(MetricName as MetricName);
      expect(counted, MetricName).toBeDefined();
      if (MetricName !== 'RunsOpen') expect(counted, MetricName).toBeGreaterThanOrEqual(Threshold);
      expect(Dimensions).toEqual([{ Name: 'Site', Value: 'north' }]);
    }
  });

  it('on a job without a GPU fires on the line that the job logs', () => {
    const lines: string[] = [];
    const fault = { code: 'no-backend', subject: 's', expected: 'e', found: 'f', remedy: 'r' };
    createLog('segment', 'north', (line) => lines.push(line)).error(
      'job-failed',
      new BundleError(fault),
    );
    // The pattern names two places, of the two images.
    const logged = JSON.parse(lines[0]!);
    expect(NO_GPU).toContain('$.error.code = "no-backend"');
    expect(logged).toMatchObject({ site: 'north', error: { code: 'no-backend' } });
    const filters = Object.values(template.findResources('AWS::Logs::MetricFilter'));
    // Segment, evaluation and training.
    expect(filters).toHaveLength(3);
    for (const { Properties } of filters)
      expect(Properties).toMatchObject({
        FilterPattern: NO_GPU,
        MetricTransformations: [
          {
            MetricName: 'CpuFallbacks',
            MetricNamespace: 'Sammix',
            Dimensions: [{ Key: 'Site', Value: '$.site' }],
          },
        ],
      });
    expect(of('Sammix').some(({ MetricName }) => MetricName === 'CpuFallbacks')).toBe(true);
  });

  it('on errors of a function fires: it fails on what it cannot handle, often enough in its period', async () => {
    const queues = [
      'split',
      'assemble',
      'failures',
      'train',
      'evaluate-start',
      'evaluate-finish',
      'canary',
      'watch',
      'dicom',
      'dicom-seg',
    ] as const;
    for (const name of queues)
      await expect(new World(site.bucket.copy()).deliver(name, {}), name).rejects.toThrow();
    const world = new World(site.bucket.copy());
    await world.upload('cases/liver/c1/latest.json', Buffer.from('{"torn":'));
    await expect(world.summarise()).rejects.toThrow();
    const errors = of('AWS/Lambda');
    expect(errors).toHaveLength(queues.length + 1);
    for (const { Threshold, Period } of errors) expect([Threshold, Period]).toEqual([3, 3600]);
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::SQS::Queue'))) {
      if (!Properties.RedrivePolicy || id.startsWith('Evaluation')) continue;
      // Three attempts are over within the period of the alarm.
      expect(Properties.RedrivePolicy.maxReceiveCount).toBeGreaterThanOrEqual(3);
      expect(2 * Properties.VisibilityTimeout, id).toBeLessThan(3600);
    }
  });

  it('on a queue watches one that gets what nobody could handle, or what waits', () => {
    const deadLetters = JSON.stringify(
      Object.values(template.findResources('AWS::SQS::Queue')).map(
        ({ Properties }) => Properties.RedrivePolicy,
      ),
    );
    for (const { MetricName, Dimensions } of of('AWS/SQS')) {
      const [queue] = (Dimensions[0]!.Value as { 'Fn::GetAtt': string[] })['Fn::GetAtt'];
      if (MetricName === 'ApproximateNumberOfMessagesVisible') expect(deadLetters).toContain(queue);
      else expect(queue).toMatch(/^(PipelineIngest|PipelineResults|DicomQueue)/);
    }
    expect(alarms.length).toBe(
      of('Sammix').length + of('AWS/Lambda').length + of('AWS/SQS').length,
    );
  });
});
