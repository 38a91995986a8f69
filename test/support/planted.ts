import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';

/** Where NIfTI-1 has room for free text (nifti1.h), written down apart from the reader's own table. */
const NIFTI1_TEXT = {
  data_type: [4, 10],
  db_name: [14, 18],
  descrip: [148, 80],
  aux_file: [228, 24],
  intent_name: [328, 16],
} as const;

/** A NIfTI-1 single file with a text in every such field and in a comment extension. */
export function withPlantedText(file: Uint8Array, text: string): Uint8Array {
  const extension = Buffer.alloc(16 * Math.ceil((8 + text.length + 1) / 16));
  extension.writeInt32LE(extension.length, 0);
  extension.writeInt32LE(6, 4);
  extension.write(text, 8, 'latin1');
  const header = Buffer.from(file.subarray(0, 352));
  for (const [at, bytes] of Object.values(NIFTI1_TEXT)) {
    header.fill(0, at, at + bytes);
    header.write(text.slice(0, bytes), at, 'latin1');
  }
  header[348] = 1;
  const offset = header.readFloatLE(108);
  header.writeFloatLE(offset + extension.length, 108);
  return Buffer.concat([header, extension, file.subarray(352)]);
}

/** What a person can read in a file: as it is, unpacked, decoded. */
export function readings(name: string, bytes: Uint8Array): string[] {
  const whole = Buffer.from(bytes);
  const plain = isGzip(whole) ? gunzipSync(whole) : whole;
  const text = plain.toString('latin1');
  return [
    text,
    plain.toString('utf8'),
    ...inBase64(text),
    ...(name.endsWith('.png') ? inPng(whole) : []),
  ];
}

const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** The header that a manifest keeps, pictures of a page. */
const inBase64 = (text: string): string[] =>
  [...text.matchAll(/[A-Za-z0-9+/]{64,}={0,2}/g)].map(([encoded]) =>
    Buffer.from(encoded, 'base64').toString('latin1'),
  );

/** Compressed text chunks of a PNG (zTXt); the others are read as they are. */
function inPng(png: Buffer): string[] {
  const found: string[] = [];
  for (let at = 8; at + 12 <= png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'zTXt') {
      const chunk = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
      found.push(inflateSync(chunk.subarray(chunk.indexOf(0) + 2)).toString('latin1'));
    }
  return found;
}

/** The names of files below a folder in whose name or content a text can be read. */
export async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = path.join(entry.parentPath, entry.name);
    const all = [file.slice(folder.length), ...readings(file, await readFile(file))];
    if (all.some((one) => one.includes(text))) found.push(path.relative(folder, file));
  }
  return found.sort();
}
