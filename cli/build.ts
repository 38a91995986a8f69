import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { labelPage, viewerPage } from '../viewer/build.ts';

const ROOT = path.join(import.meta.dirname, '..');

/** The pages as they are now, instead of what would build them when they are served. */
const builtViewer: Plugin = {
  name: 'built-viewer',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /viewer\/build\.ts$/ }, () => ({ path: 'viewer', namespace: 'built' }));
    onLoad({ filter: /./, namespace: 'built' }, async () => {
      const pages = { viewerPage: await viewerPage(), labelPage: await labelPage() };
      const exported = Object.entries(pages).map(([name, { html, ...rest }]) => {
        const text = JSON.stringify(Buffer.from(html).toString('utf8'));
        return `export const ${name} = async () => ({ ...${JSON.stringify(rest)}, html: Buffer.from(${text}) });`;
      });
      return { contents: exported.join('\n') };
    });
  },
};

/**
 * Builds the command that is published: plain JavaScript with everything inside but ONNX Runtime and the
 * codecs of compressed DICOM, which have native and WebAssembly parts. Every command and what only it needs lie in files of their own, loaded when called.
 */
export async function buildCommand(outdir: string): Promise<void> {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  await build({
    entryPoints: {
      main: path.join(ROOT, 'cli', 'main.ts'),
      'onnx-worker': path.join(ROOT, 'adapters', 'onnx-worker.ts'),
    },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    mainFields: ['module', 'main'],
    external: ['onnxruntime-node', '@cornerstonejs/*'],
    // Some of the bundled packages are CommonJS and ask for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    // Names stay readable: a defect's stack is what a user sends us.
    minifyWhitespace: true,
    legalComments: 'linked',
    plugins: [builtViewer],
    logLevel: 'error',
  });
}

const outdir = process.argv[2];
if (process.argv[1] === import.meta.filename && outdir !== undefined)
  await buildCommand(path.resolve(outdir));
