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

/** Its size and time of change: for files that are too large, or too many, to be read for it. */
export async function fileVersion(file: string): Promise<string> {
  const info = await stat(file);
  return `${info.size}-${Math.trunc(info.mtimeMs)}`;
}
