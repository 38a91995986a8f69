import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirStore } from '../../adapters/dir-store.ts';
import { StorageError } from '../../core/errors.ts';

let root: string;
let store: DirStore;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sammix-store-'));
  store = new DirStore(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => Buffer.from(text);
const listed = async (prefix: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
};

describe('DirStore', () => {
  it('gives back what was put, whole or as a stream', async () => {
    await store.put('a/b.txt', bytes('hello'));
    expect(Buffer.from(await store.get('a/b.txt')).toString()).toBe('hello');
    const chunks: Uint8Array[] = [];
    for await (const chunk of store.read('a/b.txt')) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('hello');
    expect(await store.stat('a/b.txt')).toMatchObject({ key: 'a/b.txt', bytes: 5 });
  });

  it('lists by prefix, in order, as S3 does', async () => {
    for (const key of ['b/2', 'b/10', 'b/c/1', 'bb', 'a']) await store.put(key, bytes(key));
    expect(await listed('b/')).toEqual(['b/10', 'b/2', 'b/c/1']);
    expect(await listed('b')).toEqual(['b/10', 'b/2', 'b/c/1', 'bb']);
    expect(await listed('none/')).toEqual([]);
  });

  it('has no folders: removing the last file of one removes it', async () => {
    await store.put('x/y/z', bytes('1'));
    await store.remove('x/y/z');
    await store.remove('x/y/z');
    expect(await readdir(root)).toEqual([]);
    expect(await store.stat('x/y/z')).toBeUndefined();
  });

  it('leaves the old content, and no part of the new, when a write fails half way', async () => {
    await store.put('report', bytes('old'));
    const failing = (async function* () {
      yield bytes('new, but');
      throw new RangeError('the source broke');
    })();
    await expect(store.put('report', failing)).rejects.toThrow(RangeError);
    expect(await readFile(path.join(root, 'report'), 'utf8')).toBe('old');
    expect(await readdir(root)).toEqual(['report']);
  });

  it('does not list what an interrupted write left', async () => {
    await writeFile(path.join(root, 'mask.nii.gz.0123456789ab.part'), 'half');
    expect(await listed('')).toEqual([]);
  });

  it('names file, finding and remedy when there is nothing to read', async () => {
    const failure = store.get('missing.bin');
    await expect(failure).rejects.toThrow(StorageError);
    await expect(failure).rejects.toThrow(/missing\.bin: expected .* found no such file\. Check/);
  });

  it('refuses keys that leave the folder', async () => {
    await expect(store.put('../outside', bytes('x'))).rejects.toMatchObject({
      code: 'key-outside-store',
    });
  });

  it.skipIf(process.getuid?.() === 0)('says when it may not write (not run as root)', async () => {
    await chmod(root, 0o500);
    await expect(store.put('a', bytes('x'))).rejects.toMatchObject({ code: 'no-permission' });
  });
});
