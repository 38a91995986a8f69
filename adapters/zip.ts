import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import yauzl, { type Entry, RandomAccessReader, type ZipFile } from 'yauzl';
import { InputError, StorageError } from '../core/errors.ts';
import type { RangedFile } from '../core/ports.ts';
import { inBlocks } from './ranged-blocks.ts';

const open = promisify(yauzl.fromRandomAccessReader) as (
  reader: RandomAccessReader,
  bytes: number,
  options: yauzl.Options,
) => Promise<ZipFile>;

/** More entries than the largest studies have. */
const ENTRY_LIMIT = 200_000;
/** Of one entry, inflated: the largest enhanced multi-frame objects. */
const ENTRY_LIMIT_BYTES = 4 * 2 ** 30;
/** Entries from this size on are kept inflated while they are being read. */
const KEPT_BYTES = 4 * 2 ** 20;
/** What an entry's stream asks for at once. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The entries of a zip file, read where they lie: nothing is unpacked to a disk. An entry that
 * inflates to more or less than the zip's directory says is an error when it is read, and so is one that
 * is encrypted.
 *
 * @throws InputError `not-a-zip`, `zip-too-large`; `zip-encrypted` where all entries are
 */
export async function zipEntries(archive: RangedFile): Promise<RangedFile[]> {
  const { name } = archive;
  const reader = new ArchiveReader(inBlocks(archive));
  const options = { autoClose: false, lazyEntries: true };
  const zip = await open(reader, archive.bytes, options).catch((cause: unknown) => {
    throw zipError(name, cause);
  });
  const entries = await list(zip, name).catch((cause: unknown) => {
    throw zipError(name, cause);
  });
  if (entries.length > 0 && entries.every((entry) => entry.isEncrypted())) throw encrypted(name);
  const kept = new KeptEntry(zip, name);
  return entries.map((entry) => ({
    name: entry.fileName,
    bytes: entry.uncompressedSize,
    read: (from, to) => kept.read(entry, from, to),
  }));
}

/** Ranges of the archive as yauzl wants them. */
class ArchiveReader extends RandomAccessReader {
  private readonly archive: RangedFile;

  constructor(archive: RangedFile) {
    super();
    this.archive = archive;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(rangeOf(this.archive, start, end), { objectMode: false });
  }
}

async function* rangeOf(archive: RangedFile, start: number, end: number) {
  for (let at = start; at < end; at += CHUNK_BYTES)
    yield Buffer.from(await archive.read(at, Math.min(end, at + CHUNK_BYTES)));
}

function list(zip: ZipFile, file: string): Promise<Entry[]> {
  return new Promise((resolve, reject) => {
    const entries: Entry[] = [];
    if (zip.entryCount > ENTRY_LIMIT) {
      reject(tooLarge(file, `${zip.entryCount} entries`));
      return;
    }
    zip.on('error', reject);
    zip.on('end', () => resolve(entries));
    zip.on('entry', (entry: Entry) => {
      if (entry.uncompressedSize > ENTRY_LIMIT_BYTES)
        reject(tooLarge(file, `an entry of ${entry.uncompressedSize} bytes`));
      else {
        if (!entry.fileName.endsWith('/')) entries.push(entry);
        zip.readEntry();
      }
    });
    zip.readEntry();
  });
}

/** Reads ranges of entries; the last large one stays inflated, so that its frames cost one pass. */
class KeptEntry {
  private readonly zip: ZipFile;
  private readonly file: string;
  private kept: { readonly entry: Entry; readonly bytes: Promise<Uint8Array> } | undefined;

  constructor(zip: ZipFile, file: string) {
    this.zip = zip;
    this.file = file;
  }

  async read(entry: Entry, from: number, end: number): Promise<Uint8Array> {
    if (entry.isEncrypted()) throw encrypted(`${this.file}: ${entry.fileName}`);
    const to = Math.min(end, entry.uncompressedSize);
    if (entry.uncompressedSize < KEPT_BYTES)
      return (await this.start(entry, to)).subarray(from, to);
    if (from === 0 && to < entry.uncompressedSize) return this.start(entry, to);
    if (this.kept?.entry !== entry)
      this.kept = { entry, bytes: this.start(entry, entry.uncompressedSize) };
    return (await this.kept.bytes).subarray(from, to);
  }

  /** The first `length` bytes. */
  private async start(entry: Entry, length: number): Promise<Uint8Array> {
    try {
      const stream = await this.stream(entry);
      const bytes = new Uint8Array(length);
      let filled = 0;
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        bytes.set(chunk.subarray(0, length - filled), filled);
        filled += Math.min(chunk.byteLength, length - filled);
        if (filled === length) break;
      }
      return bytes.subarray(0, filled);
    } catch (cause) {
      throw zipError(`${this.file}: ${entry.fileName}`, cause);
    }
  }

  private stream(entry: Entry): Promise<Readable> {
    return new Promise((resolve, reject) => {
      this.zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)));
    });
  }
}

/** Where the archive could not be read at all, or was refused, that is the error. */
const zipError = (subject: string, cause: unknown): Error =>
  cause instanceof StorageError || cause instanceof InputError
    ? cause
    : new InputError(
        {
          code: 'not-a-zip',
          subject,
          expected: 'a zip file that can be read',
          found: cause instanceof Error ? cause.message : String(cause),
          remedy: 'Copy or make the zip file again; `unzip -t` must pass.',
        },
        { cause },
      );

const encrypted = (subject: string): InputError =>
  new InputError({
    code: 'zip-encrypted',
    subject,
    expected: 'a zip file that can be read',
    found: 'an encrypted one',
    remedy: 'Make the zip file again without a password.',
  });

const tooLarge = (subject: string, found: string): InputError =>
  new InputError({
    code: 'zip-too-large',
    subject,
    expected: `at most ${ENTRY_LIMIT} entries of at most 4 GiB`,
    found,
    remedy: 'Zip fewer series, or give the folder itself.',
  });
