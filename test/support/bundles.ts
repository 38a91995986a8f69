import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TINY_BUNDLE } from './case.ts';

/** A copy of a bundle whose classifier lets next to no slice through: it misses organs. */
export async function blindBundle(folder: string, of = TINY_BUNDLE): Promise<string> {
  await cp(of, folder, { recursive: true });
  const file = path.join(folder, 'bundle.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  const blind = {
    ...manifest,
    name: `${manifest.name}-blind`,
    classifier: { ...manifest.classifier, threshold: 0.999999 },
  };
  await writeFile(file, JSON.stringify(blind));
  return folder;
}

/** A copy of the tiny bundle of another target, whose slices are windowed otherwise. */
export async function bundleOf(
  folder: string,
  { target, windowHu }: { readonly target: string; readonly windowHu: readonly [number, number] },
): Promise<string> {
  await cp(TINY_BUNDLE, folder, { recursive: true });
  const file = path.join(folder, 'bundle.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  const other = {
    ...manifest,
    name: `${manifest.name}-${target}`,
    target: { ...manifest.target, name: target },
    preprocess: { ...manifest.preprocess, windowHu },
  };
  await writeFile(file, JSON.stringify(other));
  return folder;
}
