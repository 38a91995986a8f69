import { once as happens } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { S3Store } from '../../adapters/s3-store.ts';
import { once } from '../support/case.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('a connection that breaks', () => {
  /** A store whose bucket answers with the first bytes of a longer body, and hangs up. */
  async function breakingStore(): Promise<S3Store> {
    const server = createServer((_, answer) => {
      answer.writeHead(200, { 'content-length': '100', etag: '"e"' });
      answer.write(bytes('0123456789'), () => answer.destroy());
    }).listen(0, '127.0.0.1');
    await happens(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const client = new S3Client({
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${port}`,
      forcePathStyle: true,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    return new S3Store({ client, bucket: 'bucket' });
  }

  it.each(['get', 'getTagged'] as const)(
    'in the middle of a body is temporary: %s',
    async (read) => {
      const store = await breakingStore();
      await expect(store[read]('slab')).rejects.toMatchObject({
        code: 'storage-failed',
        fault: { subject: 's3://bucket/slab' },
      });
    },
  );

  it('is told from a body that is short without an error', async () => {
    const client = new S3Client({ region: 'us-east-1' });
    const body = Object.assign(once(bytes('0123456789')), {
      transformToByteArray: async () => bytes('0123456789'),
    });
    const send = async () => ({ Body: body, ContentLength: 100, ETag: 'e' });
    const store = new S3Store({ client: Object.assign(client, { send }), bucket: 'bucket' });
    const found = { code: 'storage-failed', fault: { found: '10 of 100 bytes' } };
    await expect(store.getTagged('slab')).rejects.toMatchObject(found);
    await expect(store.get('slab')).rejects.toMatchObject(found);
  });
});
