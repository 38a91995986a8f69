import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';

const HERE = import.meta.dirname;
const ROOT = path.join(HERE, '..', '..');

/**
 * Makes the build context of the segment image: its two jobs in one file each, its Dockerfile, and a
 * package.json with the one dependency that cannot be bundled, at the version of the lock file.
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
  copyFileSync(path.join(HERE, 'Dockerfile'), path.join(outdir, 'Dockerfile'));
  const manifest = {
    private: true,
    type: 'module',
    dependencies: { 'onnxruntime-node': lockedVersion('onnxruntime-node') },
  };
  writeFileSync(path.join(outdir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function lockedVersion(name: string): string {
  const lock = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const version = lock.packages[`node_modules/${name}`]?.version;
  if (version === undefined) throw new Error(`package-lock.json has no ${name}`);
  return version;
}

const outdir = process.argv[2];
if (process.argv[1] === import.meta.filename && outdir !== undefined)
  buildSegmentContext(path.resolve(outdir));
