import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { S3Store } from '../adapters/s3-store.ts';
import { BundleManifest } from '../core/contract/bundle.ts';
import { splitCase } from '../core/stage/split.ts';
import { cloudRunKeys } from '../site/contract/keys.ts';

// node split-memory-probe FILE BUNDLE_FOLDER: the split function's work on a scan, through the S3
// client, with an S3 that serves the file and swallows what is written.
const [file = '', bundleFolder = ''] = process.argv.slice(2);
const answer = (body: Readable) => ({
  response: { statusCode: 200, reason: 'OK', headers: { etag: '"bench"' }, body },
});
const client = new S3Client({
  region: 'eu-central-1',
  credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  requestHandler: {
    handle: async (request: { method: string; body?: unknown }) =>
      answer(request.method === 'GET' ? createReadStream(file) : Readable.from([])),
  } as never,
});
const store = new S3Store({ client, bucket: 'bench' });
const text = await readFile(path.join(bundleFolder, 'bundle.json'), 'utf8');
const { body } = await store.open('scan.nii.gz');
const startedMs = performance.now();
await splitCase(
  {
    run: {
      runId: '0'.repeat(16),
      caseId: 'bench',
      input: { name: 'scan.nii.gz', bytes: 0, version: 's3:bench' },
      bundleDigest: '0'.repeat(64),
      parameters: { largestComponent3d: true, fillHoles: true },
    },
    source: body,
    bundle: BundleManifest.parse(JSON.parse(text)),
    keys: cloudRunKeys('liver', 'bench', '0'.repeat(16)),
    slicesPerSlab: 32,
  },
  { store },
);
const seconds = (performance.now() - startedMs) / 1000;
console.log(JSON.stringify({ seconds, peakMiB: process.resourceUsage().maxRSS / 1024 }));
