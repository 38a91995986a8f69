import { Readable } from 'node:stream';
import yazl from 'yazl';
import type { ByteStream, RangedFile } from '../core/ports.ts';

const CHUNK_BYTES = 4 * 2 ** 20;

/** The same for every entry, so that equal files make equal zips. */
const NO_TIME = new Date('2000-01-01T00:00:00Z');

/** A file and what it is called in the zip. */
export interface ZipEntry {
  readonly name: string;
  readonly file: RangedFile;
}

/**
 * A zip file of the entries, stored as they are, as a stream: one chunk of one file is held at a time.
 * Beyond 4 GiB or 65 535 entries it is a Zip64 file. An entry that cannot be read ends the stream with its error.
 */
export async function* zipOf(entries: Iterable<ZipEntry>): ByteStream {
  const zip = new yazl.ZipFile();
  const out = zip.outputStream as Readable;
  const fail = (error: Error): void => void out.destroy(error);
  zip.on('error', fail);
  for (const { name, file } of entries)
    zip.addReadStreamLazy(name, { compress: false, mtime: NO_TIME, size: file.bytes }, (open) =>
      open(null, Readable.from(chunksOf(file), { objectMode: false }).on('error', fail)),
    );
  zip.end();
  yield* out as AsyncIterable<Uint8Array>;
}

async function* chunksOf(file: RangedFile): ByteStream {
  for (let from = 0; from < file.bytes; from += CHUNK_BYTES)
    yield await file.read(from, Math.min(file.bytes, from + CHUNK_BYTES));
}
