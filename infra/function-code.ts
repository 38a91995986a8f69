import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';

/** Files of `functions/` that are deployed. The others are parts of them. */
export const FUNCTION_NAMES = [
  'split',
  'dicom',
  'assemble',
  'failures',
  'summary',
  'train',
  'evaluate-start',
  'evaluate-finish',
  'canary',
  'dicom-seg',
  'watch',
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

let folder: string | undefined;

/** The code of a function, bundled by the esbuild of this checkout: no container engine. */
export function functionCode(name: FunctionName): AssetCode {
  folder ??= bundleAll();
  return Code.fromAsset(path.join(folder, name));
}

/** In a process of its own, because constructs are made synchronously. */
function bundleAll(): string {
  const outdir = mkdtempSync(path.join(tmpdir(), 'sammix-functions-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  const bundler = path.join(import.meta.dirname, 'bundle-functions.ts');
  const tsx = import.meta.resolve('tsx');
  execFileSync(process.execPath, ['--import', tsx, bundler, outdir, ...FUNCTION_NAMES]);
  return outdir;
}
