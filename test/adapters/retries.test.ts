import { once as happens } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { BatchClient, SubmitJobCommand } from '@aws-sdk/client-batch';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createS3Client, RETRIES } from '../../adapters/aws-clients.ts';
import { S3Store } from '../../adapters/s3-store.ts';

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };
const ROOT = path.join(import.meta.dirname, '..', '..');

/** A service that answers as it is told, and counts how often it is asked. */
async function service(answer: (response: ServerResponse, asked: number) => void) {
  const counted = { asked: 0 };
  const server = createServer((request, response) => {
    request.resume();
    counted.asked += 1;
    answer(response, counted.asked);
  }).listen(0, '127.0.0.1');
  await happens(server, 'listening');
  onTestFinished(() => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { counted, at: { endpoint, region: 'us-east-1', credentials: CREDENTIALS } };
}

const s3Error = (response: ServerResponse, status: number, code: string): void => {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
};

const storeAt = (at: Awaited<ReturnType<typeof service>>['at']): S3Store =>
  new S3Store({ client: createS3Client({ ...at, forcePathStyle: true }), bucket: 'bucket' });

describe('a call that S3 does not answer', () => {
  it.each([
    [503, 'SlowDown'],
    [500, 'InternalError'],
  ])('is made again: %i %s', async (status, code) => {
    const { counted, at } = await service((response, asked) =>
      asked < 4 ? s3Error(response, status, code) : response.end(),
    );
    await storeAt(at).put('key', Buffer.from('body'));
    expect(counted.asked).toBe(4);
  });

  it('is given up after six attempts, as a fault that another day may mend', async () => {
    const { counted, at } = await service((response) => s3Error(response, 503, 'SlowDown'));
    const put = storeAt(at).put('key', Buffer.from('body'));
    await expect(put).rejects.toMatchObject({ code: 'storage-failed' });
    expect(counted.asked).toBe(RETRIES.maxAttempts);
  });

  it.each([
    [403, 'AccessDenied', 'no-permission'],
    [404, 'NoSuchKey', 'blob-missing'],
  ])('is made once where nothing would change: %i %s', async (status, code, fault) => {
    const { counted, at } = await service((response) => s3Error(response, status, code));
    await expect(storeAt(at).get('key')).rejects.toMatchObject({ code: fault });
    expect(counted.asked).toBe(1);
  });
});

describe('a job that Batch does not take', () => {
  const submit = new SubmitJobCommand({ jobName: 'j', jobQueue: 'q', jobDefinition: 'd' });
  const batchError = (response: ServerResponse, status: number, name: string): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': name });
    response.end('{"message":"no"}');
  };

  it('is submitted again where it was throttled', async () => {
    const { counted, at } = await service((response, asked) =>
      asked < 3
        ? batchError(response, 429, 'TooManyRequestsException')
        : response.end('{"jobId":"j1","jobName":"j"}'),
    );
    const client = new BatchClient({ ...at, ...RETRIES });
    expect((await client.send(submit)).jobId).toBe('j1');
    expect(counted.asked).toBe(3);
  });

  it('is submitted once where it is refused', async () => {
    const { counted, at } = await service((response) =>
      batchError(response, 400, 'ClientException'),
    );
    await expect(new BatchClient({ ...at, ...RETRIES }).send(submit)).rejects.toThrow();
    expect(counted.asked).toBe(1);
  });
});

describe('every client of AWS', () => {
  const sources = ['adapters', 'cli', 'functions', 'gpu-jobs/infer', 'site'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(path.join(ROOT, folder, file), 'utf8')),
  );

  it('is made with the same retries', () => {
    const made = sources.flatMap((text) =>
      [...text.matchAll(/new (?:\w+\.)?[A-Z]\w*Client\(([^)]*)/g)].map(([, settings]) => settings),
    );
    expect(made.length).toBeGreaterThan(12);
    // `at` of the doctor is made of them too (cli/site/doctor.ts).
    for (const settings of made) expect(settings).toMatch(/RETRIES|^at$/);
    expect(sources.some((text) => text.includes('{ region: site.region, ...RETRIES }'))).toBe(true);
  });
});
