import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RangedFile } from '../core/ports.ts';

/** Files of a folder, opened for each read; `names` are relative to `folder`. */
export async function rangedFiles(folder: string, names: readonly string[]): Promise<RangedFile[]> {
  return Promise.all(names.map((name) => rangedFile(path.join(folder, name), name)));
}

/** A file under a name, opened for each read. */
export async function rangedFile(full: string, name = full): Promise<RangedFile> {
  const { size } = await stat(full);
  return { name, bytes: size, read: (from, to) => readRange(full, from, to) };
}

async function readRange(file: string, from: number, to: number): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const buffer = new Uint8Array(Math.max(0, to - from));
    let filled = 0;
    while (filled < buffer.byteLength) {
      const { bytesRead } = await handle.read(
        buffer,
        filled,
        buffer.byteLength - filled,
        from + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await handle.close();
  }
}
