// Our split stage alone: `node split-task.mjs VOLUME OUT BUNDLE`, bundled into one file as the Lambda
// function is. The last line of the output is JSON, as bench/process.ts says.
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import type { BundleManifest } from '../core/contract/bundle.ts';
import { runKeys } from '../core/contract/keys.ts';
import { splitCase } from '../core/stage/split.ts';

const [volume, out, bundle] = process.argv.slice(2) as [string, string, string];
const manifest = Buffer.from(await new DirStore(bundle).get('bundle.json')).toString('utf8');
const { preprocess } = JSON.parse(manifest) as BundleManifest;
const input = { name: path.basename(volume), bytes: 0, version: 'bench' };
const parameters = { largestComponent3d: true, fillHoles: true };
const startedMs = performance.now();
await splitCase(
  {
    run: { runId: '0123456789abcdef', caseId: 'bench', input, bundleDigest: '', parameters },
    source: new DirStore(path.dirname(volume)).read(input.name),
    bundle: { preprocess },
    keys: runKeys('bench'),
    slicesPerSlab: 32,
  },
  { store: new DirStore(out) },
);
const seconds = (performance.now() - startedMs) / 1000;
console.log(JSON.stringify({ seconds, peakMiB: process.resourceUsage().maxRSS / 1024 }));
