import { randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { StorageError } from '../core/errors.ts';
import type { BlobInfo, BlobStore, ByteStream } from '../core/ports.ts';
import { makeFolder } from './make-folder.ts';

/** What an interrupted write leaves behind; never listed, removed by `sweep`. */
const TEMPORARY = /\.[0-9a-f]{12}\.part$/;

/** Stores objects as files below a folder; keys use `/` on every platform. */
export class DirStore implements BlobStore {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  async *read(key: string): ByteStream {
    const file = this.path(key);
    try {
      // Large reads: a volume is tens of megabytes and is decompressed as it comes.
      yield* createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw await storageError(file, 'read', cause);
    }
  }

  async get(key: string): Promise<Uint8Array> {
    const file = this.path(key);
    try {
      return await readFile(file);
    } catch (cause) {
      throw await storageError(file, 'read', cause);
    }
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    const file = this.path(key);
    try {
      const found = await stat(file);
      if (!found.isFile()) return undefined;
      return { key, bytes: found.size, version: `${found.size}-${found.mtimeMs}` };
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw await storageError(file, 'read', cause);
    }
  }

  async put(key: string, body: Uint8Array | ByteStream): Promise<void> {
    const file = this.path(key);
    const temporary = `${file}.${randomBytes(6).toString('hex')}.part`;
    try {
      await makeFolder(path.dirname(file));
      await writeAll(temporary, body);
      await rename(temporary, file);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw isFileSystemError(cause) ? await storageError(file, 'write', cause) : cause;
    }
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for await (const key of this.walk(folder)) {
      if (!key.startsWith(prefix)) continue;
      const info = await this.stat(key);
      if (info) yield info;
    }
  }

  async remove(key: string): Promise<void> {
    const file = this.path(key);
    try {
      await rm(file, { force: true });
      await this.removeEmptyParents(path.dirname(file));
    } catch (cause) {
      throw await storageError(file, 'remove', cause);
    }
  }

  /**
   * Removes what interrupted writes have left right in a folder, or in all below it. Only for who knows
   * that nobody is writing there.
   */
  async sweep(folder: string, { deep }: { readonly deep: boolean }): Promise<void> {
    const names = await this.entries(folder).catch(() => []);
    for (const entry of names) {
      if (entry.isDirectory() && deep) await this.sweep(path.join(folder, entry.name), { deep });
      else if (entry.isFile() && TEMPORARY.test(entry.name))
        await rm(path.join(this.root, folder, entry.name), { force: true });
    }
  }

  private path(key: string): string {
    const file = path.resolve(this.root, key);
    if (file.startsWith(this.root + path.sep)) return file;
    throw new StorageError({
      code: 'key-outside-store',
      subject: key,
      expected: `a key below ${this.root}`,
      found: file,
      remedy: 'Use names without "..".',
    });
  }

  private async *walk(folder: string): AsyncIterable<string> {
    let entries: Awaited<ReturnType<typeof this.entries>>;
    try {
      entries = await this.entries(folder);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw await storageError(path.join(this.root, folder), 'list', cause);
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isDirectory()) yield* this.walk(`${folder}${entry.name}/`);
      else if (!TEMPORARY.test(entry.name)) yield `${folder}${entry.name}`;
    }
  }

  private entries(folder: string) {
    return readdir(path.join(this.root, folder), { withFileTypes: true });
  }

  /** S3 has no folders; a folder left without files is therefore nothing. */
  private async removeEmptyParents(folder: string): Promise<void> {
    for (let at = folder; at.startsWith(this.root + path.sep); at = path.dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return; // Not empty, or already gone: either way there is nothing to tidy above it.
      }
    }
  }
}

async function writeAll(file: string, body: Uint8Array | ByteStream): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    if (body instanceof Uint8Array) await handle.writeFile(body);
    else for await (const chunk of body) await handle.writeFile(chunk);
    // Without this a crash after the rename could leave a complete name with an empty content.
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const errno = (cause: unknown): string | undefined =>
  cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;

const isMissing = (cause: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(errno(cause) ?? '');

const isFileSystemError = (cause: unknown): boolean =>
  cause instanceof Error && 'syscall' in cause && 'errno' in cause;

const REMEDIES: Readonly<Record<string, readonly [code: string, found: string, remedy: string]>> = {
  ENOENT: ['blob-missing', 'no such file', 'Check the path.'],
  ENOTDIR: ['blob-missing', 'a file where a folder should be', 'Check the path.'],
  EACCES: ['no-permission', 'no permission', 'Change the permissions or choose another folder.'],
  EPERM: ['no-permission', 'no permission', 'Change the permissions or choose another folder.'],
  EROFS: ['no-permission', 'a read-only file system', 'Choose a folder that can be written.'],
  ENOSPC: ['disk-full', 'no space left on the disk', 'Free some space and run the command again.'],
  EDQUOT: ['disk-full', 'the disk quota used up', 'Free some space and run the command again.'],
  EISDIR: ['blob-missing', 'a folder', 'Name a file.'],
};

/** A failed system call as a message that names its cause. */
export async function storageError(
  file: string,
  action: string,
  cause: unknown,
): Promise<StorageError> {
  if (cause instanceof StorageError) return cause;
  const code = (action === 'write' && (await whyNotWritable(file))) || (errno(cause) ?? 'unknown');
  const [reason, found, remedy] = REMEDIES[code] ?? [
    'storage-failed',
    `the system error ${code}`,
    'Check the disk.',
  ];
  return new StorageError(
    {
      code: reason,
      subject: file,
      expected: `a file that can be ${PARTICIPLE[action]}`,
      found,
      remedy,
    },
    { cause },
  );
}

/** `mkdir` on a read-only disk says that there is no such folder: the folder above says why. */
async function whyNotWritable(file: string): Promise<string | undefined> {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const code = await access(folder, constants.W_OK).then(
      () => undefined,
      (cause: unknown) => errno(cause),
    );
    if (code === undefined) return undefined;
    if (code !== 'ENOENT') return code;
    if (folder === path.dirname(folder)) return undefined;
  }
}

const PARTICIPLE: Readonly<Record<string, string>> = {
  read: 'read',
  write: 'written',
  remove: 'removed',
  list: 'listed',
};
