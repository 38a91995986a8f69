import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';

const FUNCTIONS = path.join(import.meta.dirname, '..', 'functions');

/** Files of `functions/` that are deployed. The others are parts of them. */
const ENTRIES = ['split', 'assemble', 'failures', 'summary'] as const;
export type FunctionName = (typeof ENTRIES)[number];

let folder: string | undefined;

/**
 * The code of a function as one file, `index.js`. All are bundled in one go, by the esbuild of this
 * checkout: no container engine, and shared modules are parsed once.
 */
export function functionCode(name: FunctionName): AssetCode {
  folder ??= bundleFunctions();
  return Code.fromAsset(path.join(folder, name));
}

function bundleFunctions(): string {
  const outdir = mkdtempSync(path.join(tmpdir(), 'sammix-functions-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  buildSync({
    entryPoints: ENTRIES.map((name) => ({
      in: path.join(FUNCTIONS, `${name}.ts`),
      out: path.join(name, 'index'),
    })),
    outdir,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // Node 20 syntax also runs where the tests run. The SDK is bundled, so that its version is the
    // lock file's and only the used part is loaded.
    target: 'node20',
    mainFields: ['module', 'main'],
    minify: true,
    keepNames: true,
    logLevel: 'error',
  });
  return outdir;
}
