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
  pageOf({
    title: 'sammix viewer',
    body: 'page.html',
    script: 'main.ts',
    styles: ['page.css', 'panels.css'],
  });

/** The page of `sammix label`. */
export const labelPage = (): Promise<ViewerPage> =>
  pageOf({
    title: 'sammix label',
    body: 'label/page.html',
    script: 'label/main.ts',
    styles: ['page.css', 'label/page.css'],
  });

interface Sources {
  readonly title: string;
  readonly body: string;
  readonly script: string;
  readonly styles: readonly string[];
}

async function pageOf(sources: Sources): Promise<ViewerPage> {
  const source = (file: string): Promise<string> => readFile(path.join(SOURCE, file), 'utf8');
  const [body, script, ...styles] = await Promise.all([
    source(sources.body),
    bundledScript(sources.script),
    ...sources.styles.map(source),
  ]);
  const contentSecurityPolicy = policy(script);
  const html = Buffer.from(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy}">
<!--${NOTICE}-->
<title>${sources.title}</title>
<link rel="icon" href="data:,">
<style>${styles.join('')}</style>
</head>
${body.replace('<!--script-->', () => `<script type="module">${script}</script>`)}</html>
`);
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
