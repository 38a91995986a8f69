import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { type OpenView, openView, type ViewOptions } from '../../cli/view.ts';
import type { TestBrowser, WatchedPage } from '../browser.ts';

export interface Opened extends WatchedPage {
  readonly view: OpenView;
  /** Requests to anywhere but the view's own server. */
  readonly elsewhere: readonly string[];
  close(): Promise<void>;
}

export interface Opening {
  readonly options?: Partial<ViewOptions>;
  readonly context?: BrowserContextOptions;
  /** Before the page is loaded. */
  readonly prepare?: (page: Page, view: OpenView) => Promise<unknown>;
}

/** Small, as drawing without a GPU costs by the pixel; the picture and its controls fit without scrolling. */
const VIEWPORT = { width: 640, height: 500 };

/** The viewer of a folder in a page of its own, drawn. */
export async function openViewer(
  browser: TestBrowser,
  dir: string,
  { options = {}, context = {}, prepare }: Opening = {},
): Promise<Opened> {
  const view = await openView(dir, { port: 0, ...options });
  const { page, faults } = await browser.newPage({ viewport: VIEWPORT, ...context });
  const elsewhere: string[] = [];
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(view.server.url))
      elsewhere.push(request.url());
  });
  const close = async (): Promise<void> => {
    await page.close();
    await view.server.close();
    expect(faults).toEqual([]);
    expect(elsewhere).toEqual([]);
  };
  page.setDefaultTimeout(120_000);
  await prepare?.(page, view);
  await page.goto(view.server.url);
  await ready(page);
  return { view, page, faults, elsewhere, close };
}

/** For a test with a page of its own, which ends with it. */
export async function opened(...of: Parameters<typeof openViewer>): Promise<Opened> {
  const one = await openViewer(...of);
  onTestFinished(one.close);
  return one;
}

export const ready = (page: Page): Promise<unknown> =>
  page.waitForSelector('body:not([data-state=loading])[data-state]');

export async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

export const sliceShown = async (page: Page): Promise<number> =>
  Number(await page.locator('#slice').inputValue());

export const messageOf = async (page: Page): Promise<string> =>
  (await page.locator('#message').textContent()) ?? '';
