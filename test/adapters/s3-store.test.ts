import { describe, expect, it } from 'vitest';
import { StorageError } from '../../core/errors.ts';
import { once } from '../support/case.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (body: Uint8Array): string => Buffer.from(body).toString();

describe('S3Store', () => {
  it('gives back what was put, from bytes and from a stream', async () => {
    const { store } = new MemoryBucket();
    await store.put('a/bytes', bytes('one'));
    await store.put('a/stream', once(bytes('two')));
    expect(text(await store.get('a/bytes'))).toBe('one');
    expect(text(await store.get('a/stream'))).toBe('two');
    expect(await store.stat('a/bytes')).toMatchObject({ key: 'a/bytes', bytes: 3 });
  });

  it('reads the version that was asked for after a newer one came', async () => {
    const bucket = new MemoryBucket();
    await bucket.store.put('scan', bytes('old'));
    const old = bucket.versionOf('scan');
    await bucket.store.put('scan', bytes('newer'));
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await bucket.store.open('scan', old)).body) chunks.push(chunk);
    expect(text(Buffer.concat(chunks))).toBe('old');
    expect((await bucket.store.stat('scan'))?.version).not.toBe(old);
  });

  it('lists all pages, below its own prefix, without that prefix', async () => {
    const bucket = new MemoryBucket();
    for (const key of ['m/a', 'm/b', 'm/c', 'n/d']) await bucket.store.put(key, bytes(key));
    const keys: string[] = [];
    for await (const { key } of bucket.below('m/').list('')) keys.push(key);
    expect(keys).toEqual(['a', 'b', 'c']);
  });

  it('says what is missing, and that there is none to look at', async () => {
    const { store } = new MemoryBucket();
    const failed = await store.get('gone').catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StorageError);
    expect(failed).toMatchObject({ code: 'blob-missing', fault: { subject: 's3://bucket/gone' } });
    expect(await store.stat('gone')).toBeUndefined();
    expect(await store.getTagged('gone')).toBeUndefined();
  });

  it('creates once, and replaces only what was read', async () => {
    const { store } = new MemoryBucket();
    const etag = await store.putIf('state', bytes('1'));
    expect(etag).toBeDefined();
    expect(await store.putIf('state', bytes('2'))).toBeUndefined();
    expect(await store.putIf('state', bytes('3'), etag)).toBeDefined();
    expect(await store.putIf('state', bytes('4'), etag)).toBeUndefined();
    expect(text(await store.get('state'))).toBe('3');
  });

  it('passes on an error of the stream that it writes', async () => {
    const { store } = new MemoryBucket();
    const broken = async function* () {
      yield bytes('begun');
      throw new RangeError('truncated');
    };
    await expect(store.put('half', broken())).rejects.toThrow(RangeError);
    expect(await store.stat('half')).toBeUndefined();
  });
});
