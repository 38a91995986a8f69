import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Names under which a Chromium is installed, tried along the PATH. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Why browser tests were skipped, for `describe.skipIf` titles and console messages. */
export const NO_CHROMIUM =
  'no Chromium found: install one, or name its executable in SAMMIX_CHROMIUM';

/** The executable of the system's Chromium; undefined where there is none. */
export function findChromium(): string | undefined {
  const named = process.env.SAMMIX_CHROMIUM;
  if (named !== undefined && named !== '') return named;
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin'];
  const candidates = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A page that keeps what a reader would see as broken. */
export interface WatchedPage {
  readonly page: Page;
  /** Console errors, uncaught exceptions and failed requests so far; a good page has none. */
  readonly faults: readonly string[];
}

export interface TestBrowser {
  readonly browser: Browser;
  newPage(options?: BrowserContextOptions): Promise<WatchedPage>;
  close(): Promise<void>;
}

/** WebGL 2 without a GPU: ANGLE over SwiftShader. */
const SOFTWARE_WEBGL = ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

const NO_WEBGL = ['--disable-gpu', '--disable-3d-apis'];

/**
 * A headless Chromium with WebGL 2 on the CPU. The sandbox is off because containers, where tests
 * run, seldom allow it; only pages of our own are opened.
 */
export async function openBrowser({ webgl = true } = {}): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(NO_CHROMIUM);
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--force-color-profile=srgb', ...(webgl ? SOFTWARE_WEBGL : NO_WEBGL)],
  });
  return {
    browser,
    newPage: async (options) => watched(await browser.newPage(options)),
    close: () => browser.close(),
  };
}

function watched(page: Page): WatchedPage {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('requestfailed', (request) =>
    faults.push(`request: ${request.url()} ${request.failure()?.errorText}`),
  );
  return { page, faults };
}
