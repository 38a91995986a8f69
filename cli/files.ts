import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import type { ByteStream } from '../core/ports.ts';

/** A file of the user's as a stream, with the store's errors. */
export const readFile = (file: string): ByteStream =>
  new DirStore(path.dirname(file)).read(path.basename(file));

export const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (info) => info.isFile(),
    () => false,
  );

export const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Its size and time of change: for files that are too large, or too many, to be read for it. */
export async function fileVersion(file: string): Promise<string> {
  const info = await stat(file);
  return `${info.size}-${Math.trunc(info.mtimeMs)}`;
}

const SHA256_VERSION = 'sha256:';

/** Their content, in the order given, as the version of an image or a label: equal wherever it lies. */
export async function contentVersion(
  files: readonly string[],
): Promise<{ readonly bytes: number; readonly version: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const file of files)
    for await (const chunk of readFile(file)) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
  return { bytes, version: versionOfSha256(hash.digest('hex')) };
}

export const versionOfSha256 = (hex: string): string => `${SHA256_VERSION}${hex}`;

/** Of the bytes that `contentVersion` read. */
export const sha256Of = (version: string): string => version.slice(SHA256_VERSION.length);
