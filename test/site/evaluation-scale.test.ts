import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { BatchClient, SubmitJobCommand } from '@aws-sdk/client-batch';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { SQSEvent } from 'aws-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Store } from '../../adapters/s3-store.ts';
import { toJsonBytes } from '../../core/json.ts';
import type { EnvironmentOf, EvaluateStartEnv } from '../../site/contract/env.ts';
import {
  EvaluationPlan,
  type EvaluationRequested,
  type PlannedCase,
} from '../../site/contract/evaluation.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { casesOfChild, plannedCases } from '../../site/evaluation/records.ts';
import { TINY_BUNDLE } from '../support/case.ts';

const CASES = 25_000;
const PAGE = 1000;
const MANIFEST = readFileSync(path.join(TINY_BUNDLE, 'bundle.json'));
const PREFIX = cloudKeys.bundle('tiny', createHash('sha256').update(MANIFEST).digest('hex'));

const ENVIRONMENT: EnvironmentOf<typeof EvaluateStartEnv> = {
  SAMMIX_SITE: 'north',
  SAMMIX_BUCKET: 'bucket',
  SAMMIX_JOB_QUEUE: 'queue',
  SAMMIX_EVALUATE_JOB: 'definition',
  SAMMIX_BUNDLE: PREFIX,
  SAMMIX_CASES_PER_JOB: '1',
  SAMMIX_SLICES_PER_SLAB: '32',
  SAMMIX_JUDGE_TRAINED_ON: '',
  SAMMIX_LEASE_SECONDS: '900',
};

const body = (bytes: Uint8Array) => {
  const stream = (async function* () {
    yield bytes;
  })();
  return Object.assign(stream, { transformToByteArray: async () => bytes });
};

const missing = () =>
  new S3ServiceException({
    name: 'NoSuchKey',
    message: 'NoSuchKey',
    $fault: 'client',
    $metadata: { httpStatusCode: 404 },
  });

const nameOf = (n: number): string => `case-${String(n).padStart(5, '0')}`;

/** A bucket of labelled cases that no bundle has seen, answered from their numbers. */
function mockBucket(bundle: Uint8Array): Map<string, Uint8Array> {
  const written = new Map<string, Uint8Array>();
  const s3 = mockClient(S3Client);
  s3.on(ListObjectsV2Command).callsFake(({ Prefix, ContinuationToken }) => {
    const first = Number(ContinuationToken ?? 0);
    const Contents = Array.from({ length: Math.min(PAGE, CASES - first) }, (_, n) => ({
      Key: `${Prefix}${nameOf(first + n)}.nii.gz`,
      Size: 1,
    }));
    const more = first + PAGE < CASES;
    return { Contents, ...(more ? { NextContinuationToken: String(first + PAGE) } : {}) };
  });
  s3.on(HeadObjectCommand).callsFake(({ Key }) => ({ ContentLength: 1, VersionId: `v-${Key}` }));
  s3.on(GetObjectCommand).callsFake(({ Key }: { Key: string }) => {
    const known = written.get(Key);
    if (known) return { Body: body(known), ETag: tag(known) };
    if (Key === `${PREFIX}/bundle.json`) return { Body: body(bundle), ETag: 'b' };
    const [, caseId] = /^cases\/liver\/([^/]+)\/label\.json$/.exec(Key) ?? [];
    if (caseId === undefined) throw missing();
    const pointer = {
      schemaVersion: 1,
      key: `incoming/liver/labels/${caseId}.nii.gz`,
      version: 'l1',
      name: `${caseId}.nii.gz`,
      uploadedAt: '2026-01-01T00:00:00.000Z',
    };
    return { Body: body(toJsonBytes(pointer)), ETag: 'l' };
  });
  s3.on(PutObjectCommand).callsFake(({ Key, Body }) => {
    written.set(Key, Body);
    return { ETag: tag(Body) };
  });
  return written;
}

const tag = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

describe('the function that starts evaluations', () => {
  beforeAll(() => {
    Object.assign(process.env, ENVIRONMENT, { AWS_REGION: 'eu-central-1' });
  });
  afterAll(() => {
    for (const name of Object.keys(ENVIRONMENT)) delete process.env[name];
  });

  it('shares 25 000 cases out among array jobs that Batch accepts', async () => {
    const written = mockBucket(MANIFEST);
    const batch = mockClient(BatchClient);
    let jobs = 0;
    batch.on(SubmitJobCommand).callsFake(() => ({ jobId: `job-${jobs++}` }));
    const event: EvaluationRequested = {
      source: 'sammix.evaluation',
      'detail-type': 'Evaluation Requested',
      detail: {
        schemaVersion: 1,
        dataset: 'liver',
        bundle: 'active',
        promote: false,
        requestedAt: '2026-01-04T03:00:00Z',
      },
    };
    const { handler } = await import('../../functions/evaluate-start.ts');
    const Records = [{ messageId: 'm', body: JSON.stringify(event) }] as SQSEvent['Records'];
    expect(await handler({ Records })).toEqual({ batchItemFailures: [] });

    const submitted = batch.commandCalls(SubmitJobCommand).map(({ args: [{ input }] }) => input);
    expect(submitted.map(({ arrayProperties }) => arrayProperties?.size)).toEqual([
      10_000, 10_000, 5_000,
    ]);
    const firstChildren = submitted.map(({ containerOverrides }) => {
      const variables = containerOverrides?.environment ?? [];
      return variables.find(({ name }) => name === 'SAMMIX_FIRST_CHILD')?.value;
    });
    expect(firstChildren).toEqual(['0', '10000', '20000']);
    const [id] = /\d{8}T\d{6}Z-[0-9a-f]{8}/.exec(submitted[0]?.jobName ?? '') ?? [];
    expect(submitted.map(({ jobName }) => jobName)).toEqual(
      [0, 1, 2].map((shard) => `evaluate-${id}-${shard}`),
    );
    const plan = written.get(cloudKeys.evaluationPlan('liver', id ?? ''));
    // The head that every child reads grows by a line for a thousand cases.
    expect(plan?.length).toBeLessThan(4000);
    const head = EvaluationPlan.parse(JSON.parse(Buffer.from(plan ?? []).toString()));
    const store = new S3Store({
      client: new S3Client({ region: 'eu-central-1' }),
      bucket: 'bucket',
    });
    const cases: PlannedCase[] = [];
    for await (const one of plannedCases(store, head)) cases.push(one);
    expect(cases.map(({ child }) => child)).toEqual(Array.from({ length: CASES }, (_, n) => n));
    for (const child of [0, 999, 1000, 24_999])
      expect(await casesOfChild(store, head, child)).toEqual([cases[child]]);
    expect(await casesOfChild(store, head, CASES)).toEqual([]);
    expect(new Set(cases.map(({ runId }) => runId)).size).toBe(CASES);
    const names = Array.from({ length: CASES }, (_, n) => nameOf(n));
    expect(cases.map(({ caseId }) => caseId)).toEqual(names);
    // A hundred thousand mocked requests.
  }, 300_000);
});
