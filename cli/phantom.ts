import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import { putJson } from '../core/json.ts';
import { encodePhantom, phantomCase } from '../phantom/phantom.ts';
import { integer, ok, positiveInteger, report, withOutput } from './command.ts';
import type { Progress } from './progress.ts';

/** `sammix phantom` */
export function define(command: Command): void {
  withOutput(command)
    .requiredOption('-o, --out <dir>', 'folder for imagesTr/ and labelsTr/')
    .option('-n, --cases <n>', 'how many', positiveInteger, 1)
    .option('-s, --seed <n>', 'seed of the first; the same seed gives the same bytes', integer, 1)
    .addHelpText('after', '\nExample:\n  $ sammix phantom --out demo/in --cases 3')
    .action(async (options: PhantomCommandOptions) => {
      await report(command, async (progress) => ok(await phantomCommand(options, progress)));
    });
}

export interface PhantomCommandOptions {
  readonly out: string;
  readonly cases: number;
  readonly seed: number;
}

/**
 * `sammix phantom`: synthetic cases as an nnU-Net dataset, `imagesTr/phantom_0001_0000.nii.gz` and
 * `labelsTr/phantom_0001.nii.gz` (1 liver, 2 lesion) and `dataset.json`.
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
  await putJson(store, 'dataset.json', {
    name: 'sammix phantoms',
    channel_names: { 0: 'CT' },
    labels: { background: 0, liver: 1, lesion: 2 },
    numTraining: cases,
    file_ending: '.nii.gz',
    licence: 'none needed: synthetic',
  });
  files.push(path.join(out, 'dataset.json'));
  return { files };
}
