import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Random } from '../../core/random.ts';

/** Where faults strike. */
export interface Scene {
  /**
   * From nothing through so many faults to an end in peace.
   *
   * @param struck is told the kind of each fault
   * @throws where the end is not whole
   */
  chain(random: Random, faults: number, struck: (kind: string) => void): Promise<void>;
  close(): Promise<void>;
}

/** Of the voxels and the header of a compressed mask. */
export const maskHash = (gzipped: Uint8Array): string =>
  createHash('sha256').update(gunzipSync(gzipped)).digest('hex');
