import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { DirStore } from '../adapters/dir-store.ts';
import { encodePhantom, phantomCase } from '../phantom/phantom.ts';
import type { Progress } from './progress.ts';

export interface PhantomCommandOptions {
  readonly out: string;
  readonly cases: number;
  readonly seed: number;
}

/**
 * `sammix phantom`: synthetic cases as an nnU-Net dataset, `imagesTr/phantom_0001_0000.nii.gz` and
 * `labelsTr/phantom_0001.nii.gz` (1 liver, 2 lesion).
 */
export async function phantomCommand(
  { out, cases, seed }: PhantomCommandOptions,
  progress: Progress,
): Promise<{ files: string[] }> {
  const store = new DirStore(out);
  const files: string[] = [];
  for (let at = 0; at < cases; at++) {
    const { ct, label } = encodePhantom(phantomCase({ seed: seed + at }));
    const name = `phantom_${String(at + 1).padStart(4, '0')}`;
    const image = `imagesTr/${name}_0000.nii.gz`;
    const labels = `labelsTr/${name}.nii.gz`;
    await store.put(image, gzipSync(ct));
    await store.put(labels, gzipSync(label));
    files.push(path.join(out, image), path.join(out, labels));
    progress.line(`wrote ${name} (seed ${seed + at})`);
  }
  return { files };
}
