import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder and those above it, where they are not there. Not by Node's own `recursive`, which tries for
 * ever where a file system takes no folders and says that there is none (`/proc`).
 *
 * @throws the error of the system
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await makeOne(folder);
  } catch (cause) {
    const above = path.dirname(folder);
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || above === folder) throw cause;
    await makeFolder(above);
    await makeOne(folder);
  }
}

/** One that is there, or that somebody else makes meanwhile, is as good. */
async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // Where nothing may be made, a system can say so of what is there as well.
    if (code === 'ENOENT' || !(await isFolder(folder))) throw cause;
  }
}

const isFolder = (folder: string): Promise<boolean> =>
  stat(folder).then(
    (info) => info.isDirectory(),
    () => false,
  );
