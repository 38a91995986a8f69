import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';

const HERE = import.meta.dirname;
const ROOT = path.join(HERE, '..', '..');

/**
 * Makes the build context of the segment image: its two jobs in one file each, its Dockerfile, the
 * CUDA libraries by hash, and the one dependency that cannot be bundled, locked as in this checkout.
 */
export function buildSegmentContext(outdir: string): void {
  mkdirSync(outdir, { recursive: true });
  buildSync({
    entryPoints: [
      { in: path.join(HERE, 'segment.ts'), out: 'segment' },
      { in: path.join(HERE, 'evaluate.ts'), out: 'evaluate' },
    ],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    mainFields: ['module', 'main'],
    external: ['onnxruntime-node'],
    // Some of the bundled packages are CommonJS and ask for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    logLevel: 'error',
  });
  for (const file of ['Dockerfile', 'cuda.txt', 'check-libraries.sh'])
    copyFileSync(path.join(HERE, file), path.join(outdir, file));
  const { manifest, lock } = lockedDependency('onnxruntime-node');
  writeFileSync(path.join(outdir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(path.join(outdir, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
}

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** A package with all that it needs, as this checkout's lock file has them (versions and hashes). */
function lockedDependency(name: string): { readonly manifest: object; readonly lock: object } {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const taken: Record<string, LockedPackage> = {};
  const take = (wanted: string): void => {
    const at = `node_modules/${wanted}`;
    const found = packages[at];
    if (!found) throw new Error(`package-lock.json has no ${wanted}`);
    if (taken[at]) return;
    const { dev: _, ...entry } = found;
    taken[at] = entry;
    for (const dependency of Object.keys(found.dependencies ?? {})) take(dependency);
  };
  take(name);
  const dependencies = { [name]: taken[`node_modules/${name}`]?.version ?? '' };
  const manifest = { name: 'sammix-jobs', private: true, type: 'module', dependencies };
  const root = { name: manifest.name, dependencies };
  const lock = {
    name: manifest.name,
    lockfileVersion: 3,
    requires: true,
    packages: { '': root, ...taken },
  };
  return { manifest, lock };
}

const outdir = process.argv[2];
if (process.argv[1] === import.meta.filename && outdir !== undefined)
  buildSegmentContext(path.resolve(outdir));
