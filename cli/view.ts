import { spawn } from 'node:child_process';
import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Served, serveView, type ViewServer } from '../adapters/view-server.ts';
import type { ViewCase, ViewIndex } from '../core/contract/view.ts';
import { counted } from '../core/page/format.ts';
import { VIEWER_LINK } from '../core/page/page.ts';
import type { ByteStream } from '../core/ports.ts';
import { singleFile } from '../core/volume/single-file.ts';
import { wholeStream } from '../core/whole-stream.ts';
import { type ViewerPage, viewerPage } from '../viewer/build.ts';
import { imageStream } from './case-image.ts';
import { integer, ok, report, withOutput } from './command.ts';
import { findSeries } from './dicom-cases.ts';
import { EXIT } from './exit-codes.ts';
import { readFile } from './files.ts';
import { texts } from './labels.ts';
import { findCases, type LocalCase, type SourceOptions } from './view-cases.ts';

/** `sammix view` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<dir>', "a case's folder, or a folder of cases as run and evaluate write them")
    .option('--image <file>', 'the CT of the one case, where its place is not recorded')
    .option('--label <file>', 'a label of the one case')
    .option(
      '--other <path>',
      'a mask to compare with: a file, a folder of masks, or the folder of another run (repeatable)',
      texts,
    )
    .option('--port <n>', 'port on this machine (default: a free one)', portNumber, 0)
    .option('--open', "open the system's browser", false)
    .addHelpText(
      'after',
      `
Examples:
  $ sammix view results
  $ sammix view results/case_01 --open
  $ sammix view results --other results-of-the-old-bundle

The page and the files are served to this machine only, until Ctrl-C.`,
    )
    .action(async (dir: string, options: ViewOptions & { readonly open: boolean }) => {
      await report(command, async () => {
        const { server, index } = await openView(dir, options);
        if (options.open) openInBrowser(server.url);
        // Before the command line's own listener: nothing is interrupted, the page is just no longer served.
        process.prependListener('SIGINT', () => process.exit(EXIT.ok));
        const text = `${counted(index.cases.length, 'case')} at ${server.url}\nCtrl-C stops it.`;
        return ok({ url: server.url, cases: index.cases.length }, text);
      });
    });
}

export interface ViewOptions extends SourceOptions {
  /** 0 takes a free port. */
  readonly port: number;
}

export interface OpenView {
  readonly server: ViewServer;
  readonly index: ViewIndex;
}

/** `sammix view`: serves the page and the files of the cases until it is closed. */
export async function openView(dir: string, options: ViewOptions): Promise<OpenView> {
  const [cases, page] = await Promise.all([findCases(dir, options), viewerPage()]);
  const routes = new Map<string, Served>(cases.flatMap(caseRoutes));
  const index: ViewIndex = {
    schemaVersion: 1,
    title: path.basename(path.resolve(dir)),
    expiresAt: null,
    cases: cases.map((one, at) => viewCase(one, at)),
  };
  routes.set('', pageRoute(page));
  routes.set('cases.json', {
    contentType: 'application/json',
    open: () => once(Buffer.from(JSON.stringify(index))),
  });
  return { server: await serveView(routes, options.port), index };
}

/** Opens the system's browser; where there is none, the printed address is still there. */
export function openInBrowser(url: string): void {
  const [command, ...before] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler']
        : ['xdg-open'];
  const child = spawn(command!, [...before, url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

/** Addresses are counted, not named: a file's name cannot lead anywhere. */
const place = (at: number, file: string): string => `cases/${at}/${file}`;

function viewCase(one: LocalCase, at: number): ViewCase {
  const volume = (file: string | null, route: string) =>
    file === null ? null : { url: place(at, route), name: path.basename(file) };
  return {
    ...one.facts,
    report: place(at, 'report.json'),
    overlay: one.overlay === null ? null : place(at, 'overlay.png'),
    mask: volume(one.mask, 'mask'),
    cam: volume(one.cam, 'cam'),
    image: volume(one.image, 'image'),
    label: volume(one.label, 'label'),
    others: one.others.map(({ given }, n) => ({
      url: place(at, `other${n}`),
      name: path.basename(path.resolve(given)),
    })),
    beside: one.beside.map(({ target }, n) => ({ url: place(at, `beside${n}`), name: target })),
    page: one.page === null ? null : place(at, 'report.html'),
  };
}

function caseRoutes(one: LocalCase, at: number): [string, Served][] {
  const routes: [string, Served][] = [
    [
      place(at, 'report.json'),
      { contentType: 'application/json', open: () => readFile(one.report) },
    ],
  ];
  const { overlay, page } = one;
  if (page !== null)
    routes.push([
      place(at, 'report.html'),
      { contentType: 'text/html; charset=utf-8', open: () => linkedReport(page, one.facts.caseId) },
    ]);
  if (overlay !== null)
    routes.push([
      place(at, 'overlay.png'),
      { contentType: 'image/png', open: () => readFile(overlay) },
    ]);
  // Plain NIfTI: what this machine inflates, the browser need not, and every gzip there is goes.
  const volume = (route: string, open: Served['open']): void => {
    routes.push([place(at, route), { contentType: 'application/octet-stream', open }]);
  };
  for (const [n, { file }] of one.beside.entries())
    volume(`beside${n}`, () => singleFile(readFile(file), path.basename(file)));
  for (const [n, { file }] of one.others.entries())
    volume(`other${n}`, () => singleFile(readFile(file), path.basename(file)));
  for (const key of ['mask', 'cam', 'image', 'label'] as const) {
    const file = one[key];
    if (file === null) continue;
    const paired = key === 'image' ? one.pairedImage : null;
    // Opened anew for every request: a stream can be read once.
    volume(key, () =>
      key === 'image' && one.series
        ? seriesImage(file, one.series)
        : singleFile(
            readFile(file),
            path.basename(file),
            paired === null ? undefined : readFile(paired),
          ),
    );
  }
  return routes;
}

export function portNumber(text: string): number {
  const port = integer(text);
  if (port <= 65535) return port;
  throw new InvalidArgumentError('It must be at most 65535.');
}

/** The report with a link back to the viewer, which a report that is opened as a file has no use for. */
async function* linkedReport(file: string, caseId: string): ByteStream {
  const html = (await wholeStream(readFile(file))).toString('utf8');
  const hash = new URLSearchParams({ case: caseId });
  yield Buffer.from(html.replace(VIEWER_LINK, `<a href="../../#${hash}">Open in the viewer</a>`));
}
/** The volume as the run saw it. */
async function* seriesImage(given: string, series: NonNullable<LocalCase['series']>): ByteStream {
  const remedy = 'Put the files back, or name the CT with --image FILE.';
  yield* imageStream(await findSeries(given, series, remedy));
}

export const pageRoute = ({ html, contentSecurityPolicy }: ViewerPage): Served => ({
  contentType: 'text/html; charset=utf-8',
  headers: { 'Content-Security-Policy': `${contentSecurityPolicy}; frame-ancestors 'none'` },
  open: () => once(html),
});

export const once = async function* (bytes: Uint8Array): ByteStream {
  yield bytes;
};
