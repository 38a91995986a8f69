import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { InputError } from '../core/errors.ts';
import type { RangedFile } from '../core/ports.ts';

const open = promisify(yauzl.open) as (file: string, options: yauzl.Options) => Promise<ZipFile>;

/** More entries than the largest studies have. */
const ENTRY_LIMIT = 200_000;
/** Of one entry, inflated: the largest enhanced multi-frame objects. */
const ENTRY_LIMIT_BYTES = 4 * 2 ** 30;
/** Entries from this size on are kept inflated while they are being read. */
const KEPT_BYTES = 4 * 2 ** 20;

/**
 * The entries of a zip file, read where they lie: nothing is unpacked to a disk. An entry that
 * inflates to more or less than the zip's directory says is an error when it is read.
 *
 * @throws InputError `not-a-zip`, `zip-too-large`
 */
export async function zipEntries(file: string): Promise<RangedFile[]> {
  const zip = await open(file, { autoClose: false, lazyEntries: true }).catch((cause: unknown) => {
    throw zipError(file, cause);
  });
  const entries = await list(zip, file).catch((cause: unknown) => {
    zip.close();
    throw cause instanceof InputError ? cause : zipError(file, cause);
  });
  const kept = new KeptEntry(zip, file);
  return entries.map((entry) => ({
    name: entry.fileName,
    bytes: entry.uncompressedSize,
    read: (from, to) => kept.read(entry, from, to),
  }));
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
        if (!entry.fileName.endsWith('/') && !entry.isEncrypted()) entries.push(entry);
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

  async read(entry: Entry, from: number, to: number): Promise<Uint8Array> {
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
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of stream) {
        chunks.push(chunk as Uint8Array);
        bytes += (chunk as Uint8Array).byteLength;
        if (bytes >= length) break;
      }
      return new Uint8Array(Buffer.concat(chunks)).subarray(0, length);
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

const zipError = (subject: string, cause: unknown): InputError =>
  new InputError(
    {
      code: 'not-a-zip',
      subject,
      expected: 'a zip file that can be read',
      found: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Copy or make the zip file again; `unzip -t` must pass.',
    },
    { cause },
  );

const tooLarge = (subject: string, found: string): InputError =>
  new InputError({
    code: 'zip-too-large',
    subject,
    expected: `at most ${ENTRY_LIMIT} entries of at most 4 GiB`,
    found,
    remedy: 'Zip fewer series, or give the folder itself.',
  });
