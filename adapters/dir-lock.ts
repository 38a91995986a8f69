import { rmSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { storageError } from './dir-store.ts';
import { makeFolder } from './make-folder.ts';

const LOCK = '.sammix.lock';

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/**
 * Takes a folder for this process: two runs into one would remove each other's work. What a killed
 * process has left is taken over where it ran on this machine.
 *
 * @returns lets go of it; so does the end of the process
 * @throws ConfigError (`output-in-use`), StorageError where the folder cannot be written
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = path.join(path.resolve(folder), LOCK);
  const own: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    await makeFolder(path.dirname(file));
    await take(file, own);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw await storageError(file, 'write', cause);
  }
  const release = (): void => rmSync(file, { force: true });
  process.once('exit', release);
  return async () => {
    process.off('exit', release);
    await rm(file, { force: true });
  };
}

async function take(file: string, own: Holder): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await writeFile(file, `${JSON.stringify(own)}\n`, { flag: 'wx' });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      const holder = await readHolder(file);
      if (attempt > 0 || (holder && !isGone(holder))) throw inUse(file, holder);
      await rm(file, { force: true });
    }
  }
}

/** Undefined where it is damaged: its writer was killed while it wrote. */
async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(file, 'utf8')) as Partial<Holder>;
    return Number.isInteger(holder.pid) ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function isGone({ pid, host }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

const inUse = (file: string, holder: Holder | undefined): ConfigError =>
  new ConfigError({
    code: 'output-in-use',
    subject: path.dirname(file),
    expected: 'an output folder that no other run writes into',
    found: holder
      ? `process ${holder.pid} on ${holder.host}, since ${holder.since}`
      : 'another run that has just begun',
    remedy: `Wait for it or choose another folder; where it has died on another machine, remove ${file}.`,
  });
