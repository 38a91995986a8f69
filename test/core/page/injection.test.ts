import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openView } from '../../../cli/view.ts';
import { encodePng } from '../../../core/draw/png.ts';
import { renderEvaluation } from '../../../core/evaluation/page/render.ts';
import { renderCaseReport, renderFailureReport } from '../../../core/report/render.ts';
import { runPage } from '../../../core/report/run-page.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../../browser.ts';
import { runPhantoms } from '../../viewer/cases.ts';
import { ready } from '../../viewer/opened.ts';
import { HOSTILE, hostileCohort } from '../evaluation/page/sample.ts';
import { sampleFailure, samplePicture, sampleReport } from '../report/sample.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: hostile names in a browser; ${NO_CHROMIUM}`);

const ELSEWHERE = 'evil.example';

/** Each leaves one kind of place in a page: text, an attribute, a script, a style, a template, a link. */
const ATTACKS = [
  `<script>hit('script')</script>`,
  `</script><script>hit('after a script')</script>`,
  `</style><script>hit('after a style')</script>`,
  `</title></textarea><svg onload="hit('svg')">`,
  `"><img src=x onerror="hit('double quotes')">`,
  `'><img src=x onerror='hit("single quotes")'>`,
  `x" onmouseover="hit('handler')" onfocus="hit('focus')" autofocus tabindex="1`,
  `x' onmouseover='hit("handler")' autofocus onfocus='hit("focus")`,
  `x onmouseover=hit(1)`,
  `javascript:hit('link')`,
  ` \tjava\nscript:hit('link')`,
  `data:text/html,<script>parent.hit('data')</script>`,
  `--><img src=x onerror=hit('comment')>`,
  `]]><img src=x onerror=hit('cdata')>`,
  `\u2028hit('line')\u2028//`,
  `";hit('json')//`,
  `\\";hit('escaped json')//`,
  '\u0024{hit(1)}`;hit(2)//',
  `{{constructor.constructor('hit(1)')()}}`,
  `<iframe srcdoc="<script>parent.hit('frame')</script>"></iframe>`,
  `<base href="https://${ELSEWHERE}/"><link rel=stylesheet href="https://${ELSEWHERE}/x.css">`,
  `<meta http-equiv=refresh content="0;url=https://${ELSEWHERE}/">`,
  `<img src="https://${ELSEWHERE}/x.png">`,
  `url(https://${ELSEWHERE}/x.png)`,
  `&lt;script&gt;hit('decoded')&lt;/script&gt;`,
  `&#x22; onmouseover=&#x22;hit(1)`,
] as const;

/** Every text of a record that comes from outside, at any depth. */
function withAttack<T>(value: T, attack: string, isOurs: (key: string) => boolean): T {
  const walk = (one: unknown, key: string): unknown => {
    if (typeof one === 'string') return isOurs(key) ? one : attack;
    if (Array.isArray(one)) return one.map((item) => walk(item, key));
    if (one === null || typeof one !== 'object' || one instanceof Uint8Array) return one;
    return Object.fromEntries(Object.entries(one).map(([name, item]) => [name, walk(item, name)]));
  };
  return walk(value, '') as T;
}

/** What the schemas hold to a fixed form or to words of our own. */
const isOurs = (key: string): boolean =>
  /^(status|schemaVersion|createdAt|severity|shows|orientation|affineSource|dtype|stage|name|hausdorffMm|by|unit)$/.test(
    key,
  );

const thumbnailPng = encodePng(new Uint8Array(16 * 16).fill(90), 16, 16, 'grey');

function pagesWith(attack: string): Record<string, string> {
  const report = withAttack(
    sampleReport({
      pictures: { montage: [5], gallery: [{ slice: 5, shows: ['largest-section'] }] },
    }),
    attack,
    isOurs,
  );
  const named = { ...report, input: { ...report.input, name: attack }, caseId: attack };
  const failure = withAttack(sampleFailure(), attack, isOurs);
  const { evaluation, history } = JSON.parse(
    JSON.stringify(hostileCohort()).replaceAll(JSON.stringify(HOSTILE).slice(1, -1), () =>
      JSON.stringify(attack).slice(1, -1),
    ),
  );
  const rows = [named, { ...failure, caseId: `${attack}2` }].map((one) => ({
    report: one,
    thumbnailPng,
    reportHref: `${encodeURIComponent(attack)}/report.html`,
    seconds: 1,
  }));
  const facts = {
    name: attack,
    createdAt: '2026-01-02T03:04:05.000Z',
    sammixVersion: attack,
    bundles: [{ name: attack, digest: 'ab'.repeat(32) }],
    cases: 2,
  };
  return {
    report: renderCaseReport(named, [samplePicture(5)]),
    failure: renderFailureReport(failure),
    index: runPage(rows, facts),
    evaluation: renderEvaluation(evaluation, history, [], () => 'report.html'),
  };
}

describe.skipIf(!chromium)('a hostile name in a page', () => {
  let browser: TestBrowser;
  let folder: string;
  beforeAll(async () => {
    browser = await openBrowser();
    folder = await mkdtemp(path.join(tmpdir(), 'sammix-injection-'));
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens a page, touches all of it, and returns what should not have happened. */
  async function harmOf(url: string, also?: (page: Page) => Promise<unknown>): Promise<string[]> {
    const { page } = await browser.newPage();
    const harm: string[] = [];
    await page.exposeFunction('hit', (what: unknown) => void harm.push(`script: ${what}`));
    page.on('dialog', (dialog) => {
      harm.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    const own = new URL(url);
    page.on('request', (request) => {
      const to = new URL(request.url());
      const isOwn = to.protocol === own.protocol && to.host === own.host;
      if (!isOwn && !['data:', 'blob:'].includes(to.protocol)) harm.push(`request: ${to}`);
    });
    page.on('framenavigated', (frame) => {
      const to = frame.url();
      if (frame !== page.mainFrame() || !to.startsWith(url)) harm.push(`navigation: ${to}`);
    });
    page.setDefaultTimeout(120_000);
    await page.goto(url);
    await also?.(page);
    try {
      harm.push(...(await page.evaluate<string[]>(TOUCH_EVERYTHING)));
      // Handlers of errors and loads come after.
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
    } catch (error) {
      // A page that goes elsewhere under our hands is harm itself.
      harm.push(`navigation: ${error}`);
    }
    await page.close();
    return harm;
  }

  it('would be seen: a page that escapes nothing does harm by most of them', async () => {
    const file = path.join(folder, 'raw.html');
    const parts = ATTACKS.map((attack) => `<p title="${attack}">${attack}</p>`);
    await writeFile(file, `<!doctype html><title>raw</title>${parts.join('\n')}`);
    const harm = new Set((await harmOf(pathToFileURL(file).href)).map((one) => one.split(':')[0]));
    expect([...harm].sort()).toEqual(expect.arrayContaining(['request', 'script']));
  });

  it.each(['report', 'failure', 'index', 'evaluation'])(
    'runs no script and sends nothing: %s',
    async (which) => {
      const found: Record<string, string[]> = {};
      for (const attack of ATTACKS) {
        const file = path.join(folder, `${which}.html`);
        const markup = pagesWith(attack)[which]!;
        await writeFile(file, markup);
        const harm = await harmOf(pathToFileURL(file).href);
        if (harm.length > 0) found[attack] = harm;
      }
      expect(found).toEqual({});
    },
    600_000,
  );

  it('runs no script and sends nothing: the viewer', async () => {
    const cases = await runPhantoms(['plain']);
    try {
      const file = path.join(cases.out, 'plain', 'report.json');
      const plain = JSON.parse(await readFile(file, 'utf8'));
      expect(await readdir(cases.out)).toContain('plain');
      for (const attack of ATTACKS) {
        const flags = plain.flags.map((flag: object) => ({ ...flag, message: attack }));
        const input = { ...plain.input, name: attack };
        const bundle = { ...plain.bundle, name: attack };
        await writeFile(file, JSON.stringify({ ...plain, flags, input, bundle, caseId: attack }));
        const view = await openView(cases.out, { port: 0 });
        const harm = await harmOf(view.server.url, ready);
        await view.server.close();
        expect({ attack, harm }).toEqual({ attack, harm: [] });
      }
    } finally {
      await cases.remove();
    }
  }, 900_000);
});

/**
 * Runs in the page: the mouse over everything, the focus in everything, and where links lead. Text, because the
 * repository's types know no browser.
 */
const TOUCH_EVERYTHING = `(() => {
  const harm = [];
  const addresses = ['href', 'src', 'action', 'formaction', 'xlink:href', 'srcdoc'];
  for (const one of document.querySelectorAll('*')) {
    one.dispatchEvent(new MouseEvent('mouseover'));
    if (one.focus) one.focus({ preventScroll: true });
    for (const { name, value } of one.attributes) {
      if (name.startsWith('on')) harm.push('handler: ' + one.tagName + ' ' + name);
      const leads = value.replace(/[\\s\\u0000-\\u001f]/g, '').toLowerCase();
      if (addresses.includes(name) && /^(javascript:|data:text)/.test(leads))
        harm.push('address: ' + value);
    }
  }
  return harm;
})()`;
