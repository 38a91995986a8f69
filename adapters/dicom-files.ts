import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { DicomFile } from '../dicom/instance.ts';

/** Files of a folder as the DICOM reader wants them; `names` are relative to `folder`. */
export async function dicomFiles(folder: string, names: readonly string[]): Promise<DicomFile[]> {
  return Promise.all(names.map((name) => dicomFile(path.join(folder, name), name)));
}

async function dicomFile(full: string, name: string): Promise<DicomFile> {
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
