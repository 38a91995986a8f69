import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { createS3Client } from '../../adapters/aws-clients.ts';
import { S3Store } from '../../adapters/s3-store.ts';
import { silentProgress } from '../../cli/progress.ts';
import { evaluateSite } from '../../cli/site/evaluate.ts';
import { purge } from '../../cli/site/purge.ts';
import { caseIdOf } from '../../core/dataset/case-id.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { jobControl } from '../../site/batch.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { withPlantedText } from '../support/planted.ts';
import { holding, versionsIn } from './bucket-scan.ts';
import { latest, readAll, segmented, until } from './cases.ts';
import { type Emulator, ROOT } from './emulator.ts';

const run = promisify(execFile);

/** A patient's name, as it may stand in a file's name; and what a scanner may write into the file. */
const NAME = 'Quillfeather-1957';
const FILE = `${NAME} (a+b).nii.gz`;
const REFUSED = `${NAME}-cut.nii.gz`;
const DESCRIPTION = 'Q.Zeta9';

/** Whole uploads, which are what was uploaded. */
const UPLOADS = /^(incoming|quarantine)\//;

interface At {
  readonly site: S3Store;
  readonly siteName: string;
  readonly bucket: string;
  readonly work: string;
  readonly emulator: Emulator;
}

/** A planted case: what may be read of it and where, and that nothing is left once it is purged. */
export function privacyTests(at: () => At): void {
  describe('a case whose file name and header name somebody', () => {
    it('is segmented, measured, and refused where it is cut off', async () => {
      const { site } = at();
      const { ct, label } = encodePhantom(phantomCase({ seed: 11 }));
      const image = gzipSync(withPlantedText(ct, DESCRIPTION));
      const key = cloudKeys.incoming('liver', 'images', FILE);
      await site.put(cloudKeys.incoming('liver', 'labels', FILE), gzipSync(label));
      await site.put(cloudKeys.patients('liver'), Buffer.from(`case,patient\n${caseId},p1\n`));
      await site.put(key, image);
      const first = await segmented(site, caseId);
      await site.put(key, image);
      await until('a second run', async () => {
        const { report } = await segmented(site, caseId);
        return report.runId !== first.report.runId && report.comparison !== null;
      });
      await site.put(cloudKeys.incoming('liver', 'images', REFUSED), image.subarray(0, 9000));
      await latest(site, caseIdOf(REFUSED), 'failed');
      const { evaluation } = await evaluateSite(
        site,
        { dataset: 'liver', wait: true },
        silentProgress,
      );
      expect(evaluation?.cases.map((one) => one.caseId)).toContain(caseId);
    });

    it('leaves free text of its header in no output, and its name in no log and no metadata', async () => {
      const { bucket, work } = at();
      const logs = await readAll(path.join(work, 'logs'));
      for (const planted of [NAME, DESCRIPTION]) expect(logs).not.toContain(planted);
      const outputs = (await versionsIn(bucket)).filter(({ Key }) => !UPLOADS.test(Key));
      expect(outputs.length).toBeGreaterThan(20);
      const described = await holding(bucket, outputs, DESCRIPTION);
      expect(described).toEqual([]);
      const client = createS3Client();
      for (const { Key, VersionId } of outputs) {
        const { Metadata } = await client.send(
          new HeadObjectCommand({ Bucket: bucket, Key, VersionId }),
        );
        expect(JSON.stringify(Metadata ?? {})).not.toContain(NAME);
      }
      // By design, and said in docs/deploy.md: file names are pseudonyms and stand in results and records.
      const folders = new Set(
        (await holding(bucket, outputs, NAME)).map((one) => one.split('/')[0]),
      );
      expect([...folders].sort()).toEqual(['cases', 'evaluations', 'runs', 'work']);
    });

    it('is shown by a purge as the documented policy lets it, which changes nothing', async () => {
      const { siteName, bucket, emulator } = at();
      const purger = await purgerOf(bucket, emulator);
      const before = await versionsIn(bucket);
      const words = ['site', 'purge', siteName, '--case', caseId, '--bucket', bucket];
      const { stdout } = await run('node', [path.join(ROOT, 'cli', 'bin.mjs'), ...words], {
        env: { ...process.env, ...purger },
      });
      expect(stdout).toContain('taken out of evaluations');
      expect(stdout).toContain('nothing was changed');
      expect(await versionsIn(bucket)).toEqual(before);
    });

    it('is gone after it: no version of any object names it', async () => {
      const { bucket, emulator } = at();
      const mine = { ...process.env };
      Object.assign(process.env, await purgerOf(bucket, emulator));
      try {
        const ports = {
          store: new S3Store({ client: createS3Client(), bucket }),
          jobs: jobControl(),
          sleep: async (ms: number) => void (await sleep(ms)),
          tell: () => undefined,
        };
        const options = { dataset: 'liver', trainingData: false, yes: true, quietSeconds: 2 };
        for (const one of [caseId, caseIdOf(REFUSED)]) {
          const { text, exitCode } = await purge({ dataset: 'liver', caseId: one }, options, ports);
          expect(text).toContain('a new listing finds nothing of it');
          expect(exitCode).toBe(0);
        }
      } finally {
        for (const name of CREDENTIALS) process.env[name] = mine[name];
      }
      const left = await versionsIn(bucket);
      expect(left.length).toBeGreaterThan(0);
      expect(await holding(bucket, left, NAME)).toEqual([]);
      expect(left.filter(({ Key }) => Key.includes(NAME))).toEqual([]);
    });
  });
}

const caseId = caseIdOf(FILE);

const CREDENTIALS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

let purger: Record<(typeof CREDENTIALS)[number], string> | undefined;

/** A user with the policy that docs/security.md gives to whoever purges, and no other. */
async function purgerOf(bucket: string, emulator: Emulator) {
  if (purger) return purger;
  const docs = await readFile(path.join(ROOT, 'docs', 'security.md'), 'utf8');
  const [, policy] = /For `sammix site purge`.*?```json\n(.*?)```/s.exec(docs) ?? [];
  if (policy === undefined) throw new Error('docs/security.md has no policy for purges');
  const document = policy.replaceAll('BUCKET', bucket).replaceAll('"KEY"', '"*"');
  await emulator.checkPermissions(false);
  await iam(emulator, { Action: 'CreateUser', UserName: 'purger' });
  await iam(emulator, {
    Action: 'PutUserPolicy',
    UserName: 'purger',
    PolicyName: 'purge',
    PolicyDocument: document,
  });
  const key = await iam(emulator, { Action: 'CreateAccessKey', UserName: 'purger' });
  await emulator.checkPermissions(true);
  const field = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(key)![1]!;
  purger = {
    AWS_ACCESS_KEY_ID: field('AccessKeyId'),
    AWS_SECRET_ACCESS_KEY: field('SecretAccessKey'),
  };
  return purger;
}

/** The query API: a client of IAM would be one more package for three calls. */
async function iam({ endpoint }: Emulator, call: Record<string, string>): Promise<string> {
  const scope = 'administrator/20260101/us-east-1/iam/aws4_request';
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    },
    body: new URLSearchParams({ ...call, Version: '2010-05-08' }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${call.Action}: ${text}`);
  return text;
}
