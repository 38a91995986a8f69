import path from 'node:path';
import { LIVER } from '../core/contract/bundle.ts';
import { DEFAULT_BUNDLE } from './command.ts';
import { exists } from './files.ts';

/**
 * The folder of a bundle that the command line names: a path, or `liver` for the bundle that comes with
 * sammix, unless a folder of that name lies here.
 */
export const bundleFolder = async (given: string): Promise<string> =>
  given === LIVER && !(await exists(path.join(given, 'bundle.json'))) ? DEFAULT_BUNDLE : given;
