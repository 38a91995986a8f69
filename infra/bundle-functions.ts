import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const FUNCTIONS = path.join(import.meta.dirname, '..', 'functions');

const SMALL_ZOD = 'small-zod';

/**
 * The form of zod that functions start with, as modules of its own: a module that a later part needs as
 * well would come with all that both need of it.
 */
const smallZodApart: Plugin = {
  name: 'small-zod-apart',
  setup({ onResolve, onLoad }) {
    const apart = (file: string) => ({ path: file, namespace: SMALL_ZOD, sideEffects: false });
    onResolve({ filter: /^zod\/(mini|v4\/core)$/ }, ({ path: name }) =>
      apart(fileURLToPath(import.meta.resolve(name))),
    );
    onResolve({ filter: /^\./, namespace: SMALL_ZOD }, ({ path: file, importer }) =>
      apart(path.join(path.dirname(importer), file)),
    );
    onLoad({ filter: /./, namespace: SMALL_ZOD }, async ({ path: file }) => ({
      contents: await readFile(file, 'utf8'),
    }));
  },
};

/** Some of the bundled packages are CommonJS and ask for Node's own modules by `require`. */
const REQUIRE =
  "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

/** The codecs of DICOM look for their WebAssembly beside themselves, as CommonJS does. */
const BESIDE = 'const __dirname=import.meta.dirname;';

/** WebAssembly goes into the folder of the function whose code loads it. */
const wasmBeside = (folder: string): Plugin => ({
  name: 'wasm-beside',
  setup({ onLoad }) {
    onLoad({ filter: /@cornerstonejs[\\/]codec-.*\.js$/ }, async ({ path: file }) => {
      const wasm = file.replace(/\.js$/, '.wasm');
      if (!existsSync(wasm)) return undefined;
      await mkdir(folder, { recursive: true });
      await copyFile(wasm, path.join(folder, path.basename(wasm)));
      return undefined;
    });
  },
});

/** How every function is built, the bench's empty one as well. */
export const FUNCTION_BUILD = {
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  // Node 20 syntax also runs where the tests run. The SDK is bundled, so that its version is
  // the lock file's and only the used part is loaded.
  target: 'node20',
  mainFields: ['module', 'main'],
  minify: true,
  logLevel: 'error',
} satisfies BuildOptions;

/**
 * Bundles functions, each into a folder of its own: `index.mjs`, which is loaded when the function
 * starts, and what it imports only when needed (drawing, Batch's client) in files beside it.
 */
export async function bundleFunctions(outdir: string, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map((name) =>
      build({
        entryPoints: { index: path.resolve(FUNCTIONS, `${name}.ts`) },
        outdir: path.join(outdir, path.basename(name)),
        banner: { js: REQUIRE + BESIDE },
        plugins: [smallZodApart, wasmBeside(path.join(outdir, path.basename(name)))],
        ...FUNCTION_BUILD,
      }),
    ),
  );
}

const [outdir, ...names] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename && outdir !== undefined)
  await bundleFunctions(outdir, names);
