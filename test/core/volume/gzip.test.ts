import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError, StorageError } from '../../../core/errors.ts';
import type { ByteStream } from '../../../core/ports.ts';
import { gunzip, gzip } from '../../../core/volume/gzip.ts';
import { bytesOf, streamOf } from './volume-bytes.ts';

const inflate = (bytes: Uint8Array, piece = 100) => bytesOf(gunzip(streamOf(bytes, piece), 'a.gz'));

const CONTENT = Uint8Array.from({ length: 5000 }, (_, n) => (n * n) % 251);

test('inflates what deflates, at any level and in any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 600 }),
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 1, max: 700 }),
      async (content, level, piece) => {
        const zipped = await bytesOf(gzip(streamOf(content, piece), level));
        expect(await inflate(zipped, piece)).toEqual(content);
        expect(new Uint8Array(gunzipSync(zipped))).toEqual(content);
      },
    ),
    { numRuns: 40 },
  );
});

test('several members are one content', async () => {
  const members = Buffer.concat([
    gzipSync(CONTENT.subarray(0, 999)),
    gzipSync(CONTENT.subarray(999)),
  ]);
  for (const piece of [1, 7, 100_000]) expect(await inflate(members, piece)).toEqual(CONTENT);
});

test('zero padding after the last member is passed over', async () => {
  const padded = Buffer.concat([gzipSync(CONTENT), Buffer.alloc(512)]);
  for (const piece of [13, 100_000]) expect(await inflate(padded, piece)).toEqual(CONTENT);
});

const damages: readonly (readonly [string, string, (bytes: Buffer) => Uint8Array])[] = [
  [
    'garbage after the last member',
    'corrupt-gzip',
    (b) => Buffer.concat([b, Buffer.from('garbage')]),
  ],
  ['a wrong CRC', 'corrupt-gzip', (b) => b.fill(0x55, b.length - 8, b.length - 4)],
  ['a wrong length', 'corrupt-gzip', (b) => b.fill(0x55, b.length - 4)],
  ['a damaged middle', 'corrupt-gzip', (b) => b.fill(0xff, 100, 140)],
  ['an unknown method', 'corrupt-gzip', (b) => b.fill(9, 2, 3)],
  ['a missing trailer', 'truncated-gzip', (b) => b.subarray(0, -8)],
  ['a missing half', 'truncated-gzip', (b) => b.subarray(0, b.length / 2)],
  ['the first ten bytes alone', 'truncated-gzip', (b) => b.subarray(0, 10)],
];

test.each(damages)('%s: %s', async (_, code, damage) => {
  for (const piece of [1, 64, 100_000]) {
    const failure = await inflate(damage(gzipSync(CONTENT)), piece).catch((error) => error);
    expect(failure).toBeInstanceOf(InputError);
    expect(failure.code).toBe(code);
  }
});

async function* failing(bytes: Uint8Array, error: Error): ByteStream {
  yield bytes;
  throw error;
}

test("the source's own error comes through unchanged", async () => {
  const error = new StorageError({
    code: 'blob-missing',
    subject: 'a.gz',
    expected: 'an object',
    found: 'none',
    remedy: 'Upload it.',
  });
  const half = gzipSync(CONTENT).subarray(0, 200);
  await expect(bytesOf(gunzip(failing(half, error), 'a.gz'))).rejects.toBe(error);
});

test('leaving early lets go of the source', async () => {
  let released = false;
  // Noise, which does not shrink: else the inflater would be fed megabytes before it is full.
  const member = gzipSync(randomBytes(100_000));
  async function* source(): ByteStream {
    try {
      for (;;) yield member;
    } finally {
      released = true;
    }
  }
  for await (const chunk of gunzip(source(), 'endless.gz')) {
    expect(chunk.byteLength).toBeGreaterThan(0);
    break;
  }
  await expect.poll(() => released, { timeout: 20_000 }).toBe(true);
});
