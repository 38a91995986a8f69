import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';

/** The viewer's page (`viewer/`) as one HTML file that loads nothing from anywhere. */
export interface ViewerPage {
  readonly html: Uint8Array;
  /** Of its content, lower-case hexadecimal. */
  readonly sha256: string;
  /** What the page may do, for the header of an answer; the page says the same in a meta element. */
  readonly contentSecurityPolicy: string;
}

const SOURCE = path.join(import.meta.dirname, '..', 'viewer');

/**
 * NiiVue can read Zarr and brings decoders of nearly twice its own weight for it; zod words its errors in
 * forty languages. The page reads NIfTI and speaks English, so these modules are left empty.
 */
const NOT_NEEDED = /^(zarrita|numcodecs)(\/|$)/;

const LANGUAGES = /zod[\\/]v4[\\/]locales[\\/]index\.js$/;

const leaveOut: Plugin = {
  name: 'leave-out',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: NOT_NEEDED }, ({ path }) => ({ path, namespace: 'empty' }));
    onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'module.exports = {}' }));
    onLoad({ filter: LANGUAGES }, () => ({ contents: 'export {}' }));
  },
};

/** What of others is inside; their licences ask for the notice. */
const NOTICE = `
Contains NiiVue (BSD-2-Clause, (c) NiiVue authors), gl-matrix (MIT, (c) Brandon Jones and Colin MacKenzie IV),
NIFTI-Reader-JS (MIT, (c) RII-UTHSCSA), fflate (MIT, (c) Arjun Barrett), zod (MIT, (c) Colin McDonnell).
`;

/** Builds the page from its sources: a quarter of a second, so nothing built is kept anywhere. */
export const viewerPage = (): Promise<ViewerPage> =>
  pageOf({ shell: 'page.html', script: 'main.ts', styles: ['page.css', 'panels.css'] });

/** The page of `sammix label`. */
export const labelPage = (): Promise<ViewerPage> =>
  pageOf({
    shell: 'label/page.html',
    script: 'label/main.ts',
    styles: ['page.css', 'label/page.css'],
  });

interface Sources {
  readonly shell: string;
  readonly script: string;
  readonly styles: readonly string[];
}

async function pageOf(sources: Sources): Promise<ViewerPage> {
  const source = (file: string): Promise<string> => readFile(path.join(SOURCE, file), 'utf8');
  const [shell, script, ...styles] = await Promise.all([
    source(sources.shell),
    bundledScript(sources.script),
    ...sources.styles.map(source),
  ]);
  const contentSecurityPolicy = policy(script);
  const parts: Readonly<Record<string, string>> = {
    '<!--style-->': `<style>${styles.join('')}</style>`,
    '<!--script-->': `<script type="module">${script}</script>`,
    '<!--policy-->': `<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy}">
<!--${NOTICE}-->`,
  };
  // A function: in a replacement string "$&" and the like, of which scripts are full, mean something.
  const html = Buffer.from(shell.replace(/<!--\w+-->/g, (mark) => parts[mark] ?? mark));
  return {
    html,
    sha256: createHash('sha256').update(html).digest('hex'),
    contentSecurityPolicy,
  };
}

async function bundledScript(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(SOURCE, entry)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    write: false,
    logLevel: 'silent',
    plugins: [leaveOut],
  });
  // Inside HTML these would end the script, or begin a comment that swallows it.
  return outputFiles[0]!.text.replace(/<\/script/gi, '<\\/script').replace(/<!--/g, '<\\!--');
}

/**
 * This script and no other; volumes from where the page itself came from and nowhere else, so that not
 * even a flaw in the page could send a scan away. Styles may be inline: NiiVue sets its canvas's own.
 */
function policy(script: string): string {
  const hash = createHash('sha256').update(script).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "connect-src 'self' data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}
