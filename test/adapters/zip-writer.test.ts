import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangedFile } from '../../adapters/ranged-files.ts';
import { zipEntries } from '../../adapters/zip.ts';
import { zipOf } from '../../adapters/zip-writer.ts';
import { InputError } from '../../core/errors.ts';
import type { ByteStream, RangedFile } from '../../core/ports.ts';
import { temporaryFolder } from '../support/case.ts';

const run = promisify(execFile);

const fileOf = (bytes: Uint8Array): RangedFile => ({
  name: 'as it was called',
  bytes: bytes.byteLength,
  read: async (from, to) => bytes.subarray(from, to),
});

async function whole(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function contentOf(file: string): Promise<Record<string, string>> {
  const entries = await zipEntries(await rangedFile(file));
  const read = entries.map(async (one) => [
    one.name,
    Buffer.from(await one.read(0, one.bytes)).toString('hex'),
  ]);
  return Object.fromEntries(await Promise.all(read));
}

describe('zipOf', () => {
  it('writes what a reader finds again, in the same bytes each time', async () => {
    const folder = await temporaryFolder();
    const files = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(files, async (given) => {
        const entries = given.map((bytes, n) => ({ name: `${n}.dcm`, file: fileOf(bytes) }));
        const zip = await whole(zipOf(entries));
        const file = path.join(folder, 'one.zip');
        await writeFile(file, zip);
        const expected = given.map((bytes, n) => [`${n}.dcm`, Buffer.from(bytes).toString('hex')]);
        expect(await contentOf(file)).toEqual(Object.fromEntries(expected));
        expect(await whole(zipOf(entries))).toEqual(zip);
      }),
      { numRuns: 20 },
    );
  });

  it('is a zip for Python, too, over several chunks of a file', async () => {
    const file = path.join(await temporaryFolder(), 'large.zip');
    const large = new Uint8Array(9 * 2 ** 20).map((_, at) => at % 251);
    await writeFile(file, await whole(zipOf([{ name: 'a', file: fileOf(large) }])));
    const { stdout } = await run('python3', ['-m', 'zipfile', '-t', file]);
    expect(stdout).toContain('Done testing');
    expect(await contentOf(file)).toEqual({ a: Buffer.from(large).toString('hex') });
  });

  it('ends with the error of a file that cannot be read', async () => {
    const broken: RangedFile = {
      name: 'a',
      bytes: 10,
      read: async () => {
        throw new InputError({
          code: 'input-missing',
          subject: 'a',
          expected: 'a file',
          found: 'none',
          remedy: 'Look.',
        });
      },
    };
    await expect(whole(zipOf([{ name: 'a', file: broken }]))).rejects.toThrow(InputError);
  });

  it('ends with an error where a file is shorter than it was', async () => {
    const shrunk = { ...fileOf(new Uint8Array(3)), bytes: 10 };
    await expect(whole(zipOf([{ name: 'a', file: shrunk }]))).rejects.toThrow(/bytes/);
  });
});
