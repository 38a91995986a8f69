import { describe, expect, it } from 'vitest';
import { DirStore } from '../../adapters/dir-store.ts';
import { WriteBehindStore } from '../../adapters/write-behind.ts';
import type { ByteStream } from '../../core/ports.ts';
import { temporaryFolder } from '../support/case.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const bytes = (content: string): Uint8Array => Buffer.from(content);

/** A body that ends only when it is told to. */
function heldBack(content: string): { body: ByteStream; release: () => void } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const body = (async function* () {
    await released;
    yield bytes(content);
  })();
  return { body, release };
}

describe('WriteBehindStore', () => {
  it('takes a body without waiting for it, and writes in the order given', async () => {
    const folder = new DirStore(await temporaryFolder());
    const store = new WriteBehindStore(folder);
    const slow = heldBack('first');
    await store.put('a', slow.body);
    await store.put('b', bytes('second'));
    expect(await folder.stat('b')).toBeUndefined();
    slow.release();
    await store.flush();
    expect(text(await folder.get('a'))).toBe('first');
    expect(text(await folder.get('b'))).toBe('second');
  });

  it('lets a read wait for the object it asks for, and only for that', async () => {
    const folder = new DirStore(await temporaryFolder());
    await folder.put('old', bytes('here'));
    const store = new WriteBehindStore(folder);
    const slow = heldBack('new');
    await store.put('a', slow.body);
    expect(text(await store.get('old'))).toBe('here');
    const reading = store.get('a');
    slow.release();
    expect(text(await reading)).toBe('new');
    expect((await store.stat('a'))?.bytes).toBe(3);
    await store.remove('a');
    expect(await store.stat('a')).toBeUndefined();
  });

  it('writes nothing after a write that failed, and says so', async () => {
    const folder = new DirStore(await temporaryFolder());
    const store = new WriteBehindStore(folder);
    await store.put('../outside', bytes('x'));
    await store.put('b', bytes('y'));
    await expect(store.flush()).rejects.toMatchObject({ code: 'key-outside-store' });
    await expect(store.get('b')).rejects.toMatchObject({ code: 'key-outside-store' });
    expect(await folder.stat('b')).toBeUndefined();
  });
});
