import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import { type Fault, InputError, StorageError } from '../core/errors.ts';
import type { ByteStream } from '../core/ports.ts';

/**
 * A file of the user's as a stream. What goes wrong with it is an input's fault, never the output
 * folder's: one file that cannot be read must not end what is done with the others.
 *
 * @throws InputError where it is no file, or cannot be read
 */
export async function* readFile(file: string): ByteStream {
  await requireFile(file);
  try {
    yield* new DirStore(path.dirname(file)).read(path.basename(file));
  } catch (cause) {
    throw cause instanceof StorageError ? new InputError(cause.fault, { cause }) : cause;
  }
}

/**
 * The size of a regular file.
 *
 * @throws InputError for anything else: a pipe would be waited for, a device never ends
 */
export async function requireFile(file: string): Promise<number> {
  const fault = await stat(file).then(
    (info) => (info.isFile() ? info.size : kindFault(file, info)),
    (cause: NodeJS.ErrnoException) => unreadableFault(file, cause.code ?? 'unknown'),
  );
  if (typeof fault === 'number') return fault;
  throw new InputError(fault);
}

type Kind = Pick<Awaited<ReturnType<typeof stat>>, 'isDirectory' | 'isFIFO' | 'isSocket'>;

export const kindFault = (subject: string, info: Kind): Fault => ({
  code: 'not-a-file',
  subject,
  expected: 'a file',
  found: info.isDirectory()
    ? 'a folder'
    : info.isFIFO()
      ? 'a pipe'
      : info.isSocket()
        ? 'a socket'
        : 'a device',
  remedy: 'Name a file.',
});

export const unreadableFault = (subject: string, errno: string): Fault => {
  const [code, found, remedy] = UNREADABLE[errno] ?? [
    'input-unreadable',
    `the system error ${errno}`,
    'Check the disk.',
  ];
  return { code, subject, expected: 'a file or folder that can be read', found, remedy };
};

const UNREADABLE: Readonly<Record<string, readonly [code: string, found: string, remedy: string]>> =
  {
    ENOENT: [
      'input-missing',
      'nothing there, or a link to nothing',
      'Check the path; of a datalad or git-annex dataset, get the content first.',
    ],
    ENOTDIR: ['input-missing', 'a file where a folder should be', 'Check the path.'],
    ELOOP: ['input-missing', 'links that lead to each other', 'Remove the links.'],
    EACCES: ['no-permission', 'no permission', 'Change its permissions, or those of its folder.'],
    EPERM: ['no-permission', 'no permission', 'Change its permissions, or those of its folder.'],
  };

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
  const info = await stat(file).catch(() => undefined);
  return info ? `${info.size}-${Math.trunc(info.mtimeMs)}` : 'missing';
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

/** True for what lies in a folder or is it. */
export const isWithin = (folder: string, file: string): boolean =>
  `${path.resolve(file)}${path.sep}`.startsWith(`${path.resolve(folder)}${path.sep}`);
