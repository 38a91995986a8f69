import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { viewSite } from '../../cli/site/view.ts';
import { ViewIndex } from '../../core/contract/view.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { type ViewerPage, viewerPage } from '../../viewer/build.ts';
import { findChromium, NO_CHROMIUM, openBrowser } from '../browser.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';
import { type Cases, runPhantoms } from './cases.ts';
import { messageOf, press } from './opened.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: a site's viewer in a browser; ${NO_CHROMIUM}`);

const ORIGIN = 'https://bucket.s3.us-east-1.amazonaws.com';
const RUN = '0123456789abcdef';
const OTHER_RUN = 'fedcba9876543210';

let cases: Cases;
let page: ViewerPage;
beforeAll(async () => {
  [cases, page] = await Promise.all([runPhantoms(), viewerPage()]);
}, 240_000);
afterAll(() => cases.remove());

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** The case `turned` as a site holds it, its image and label gzipped or not as they were uploaded. */
async function siteWithCase(caseId = 'turned', uploadedAt = '2026-01-02T03:04:05.000Z') {
  const bucket = new MemoryBucket();
  await addCase(bucket, caseId, uploadedAt);
  return bucket;
}

async function addCase(bucket: MemoryBucket, caseId: string, uploadedAt: string): Promise<void> {
  const { store } = bucket;
  const prefix = cloudKeys.runPrefix('liver', caseId, RUN);
  for (const file of ['report.json', 'report.html', 'mask.nii.gz', 'cam.nii.gz', 'overlay.png'])
    await store.put(`${prefix}/${file}`, await readFile(path.join(cases.out, 'turned', file)));
  const imageKey = cloudKeys.incoming('liver', 'images', 'turned.nii');
  await store.put(imageKey, await readFile(path.join(cases.input, 'turned.nii')));
  const input = { name: 'turned.nii', bytes: 1, version: `s3:${bucket.versionOf(imageKey)}` };
  // A later upload under the same name: the mask is of the earlier one.
  await store.put(imageKey, Buffer.from('another scan'));
  const parameters = { largestComponent3d: true, fillHoles: true };
  const record = {
    schemaVersion: 1,
    runId: RUN,
    state: 'reported',
    dataset: 'liver',
    caseId,
    imageKey,
    input,
    uploadedAt,
    bundlePrefix: 'models/tiny/0',
    bundleDigest: 'd',
    parameters,
    slicesPerJob: 512,
    slicesPerSlab: 32,
    traceId: 't',
    claimedAt: uploadedAt,
    job: null,
    reportedAt: uploadedAt,
    cost: null,
  };
  await store.put(cloudKeys.run(RUN), json(record));
  const latest = { schemaVersion: 1, runId: RUN, prefix, status: 'segmented', uploadedAt };
  await store.put(cloudKeys.latest('liver', caseId), json(latest));
}

/** What another bundle made of the same scan, as an evaluation leaves it, and what it made of another scan. */
async function addOtherRuns(bucket: MemoryBucket, caseId: string): Promise<void> {
  const shown = `${cloudKeys.runPrefix('liver', caseId, RUN)}/`;
  const report = JSON.parse(Buffer.from(await bucket.store.get(`${shown}report.json`)).toString());
  const mask = await bucket.store.get(`${shown}mask.nii.gz`);
  const later = { createdAt: '2026-03-04T05:06:07.000Z' };
  for (const [runId, changed] of [
    [OTHER_RUN, { ...later, bundle: { ...report.bundle, name: 'new', digest: 'ab'.repeat(32) } }],
    ['1111111111111111', { ...later, inputSha256: 'cd'.repeat(32) }],
    ['2222222222222222', { ...later, bundle: { ...report.bundle, target: 'spleen' } }],
  ] as const) {
    const prefix = cloudKeys.runPrefix('liver', caseId, runId);
    await bucket.store.put(`${prefix}/report.json`, json({ ...report, runId, ...changed }));
    await bucket.store.put(`${prefix}/mask.nii.gz`, mask);
  }
}

const indexOf = (url: string): ViewIndex => {
  const index = new URLSearchParams(new URL(url).hash.slice(1)).get('index')!;
  return ViewIndex.parse(JSON.parse(inflateRawSync(Buffer.from(index, 'base64url')).toString()));
};

const OPTIONS = { dataset: 'liver', minutes: 15 };

describe('sammix site view', () => {
  it('uploads the page once, named by its content', async () => {
    const bucket = await siteWithCase();
    const first = await viewSite(bucket.store, page, ['turned'], OPTIONS);
    const key = cloudKeys.viewerPage(createHash('sha256').update(page.html).digest('hex'));
    expect(bucket.keys('viewer/')).toEqual([key]);
    const version = bucket.versionOf(key);
    await viewSite(bucket.store, page, ['turned'], OPTIONS);
    expect(bucket.versionOf(key)).toBe(version);
    expect(new URL(first.url).pathname).toBe(`/${key}`);
  });

  it('signs every address for the minutes asked for, the image in the version that was segmented', async () => {
    const bucket = await siteWithCase();
    const before = Date.now();
    const { url, expiresAt } = await viewSite(bucket.store, page, [], { ...OPTIONS, minutes: 5 });
    const [one] = indexOf(url).cases;
    const { report, overlay, mask, cam, image, page: reportPage } = one!;
    const addresses = [url, report, overlay!, reportPage!, mask!.url, cam!.url, image!.url];
    for (const address of addresses) {
      const { origin, searchParams } = new URL(address);
      expect(origin).toBe(ORIGIN);
      expect(searchParams.get('X-Amz-Expires')).toBe('300');
      expect(searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(Math.abs(Date.parse(expiresAt) - before - 300_000)).toBeLessThan(60_000);
    const version = new URL(image!.url).searchParams.get('versionId');
    const sent = await bucket.store.open('incoming/liver/images/turned.nii', version!);
    expect(sent.bytes).toBeGreaterThan(1000);
    expect(one).toMatchObject({ label: null, imageMissing: null, reviewFlags: ['slice-jump'] });
  });

  it('says so where image, case or dataset are not there, and where the time is too long', async () => {
    const bucket = await siteWithCase();
    await bucket.store.remove('incoming/liver/images/turned.nii');
    const { url } = await viewSite(bucket.store, page, ['turned'], OPTIONS);
    expect(indexOf(url).cases[0]).toMatchObject({
      image: null,
      imageMissing: expect.stringContaining('no longer in the bucket'),
    });
    for (const [caseIds, dataset] of [
      [['other'], 'liver'],
      [[], 'spleen'],
    ] as const)
      await expect(
        viewSite(bucket.store, page, caseIds, { ...OPTIONS, dataset }),
      ).rejects.toMatchObject({ code: 'no-such-case' });
    for (const minutes of [0, 721, Number.NaN])
      await expect(viewSite(bucket.store, page, [], { ...OPTIONS, minutes })).rejects.toMatchObject(
        { code: 'bad-minutes' },
      );
  });

  it('lays masks of other runs of the very scan and target beside, where they are asked for', async () => {
    const bucket = await siteWithCase();
    await addOtherRuns(bucket, 'turned');
    const others = async (other?: readonly string[]) => {
      const options = other ? { ...OPTIONS, other } : OPTIONS;
      const { url } = await viewSite(bucket.store, page, ['turned'], options);
      return indexOf(url).cases[0]!.others;
    };
    expect(await others()).toBeUndefined();
    for (const other of [['all'], [OTHER_RUN]]) {
      const [one, ...more] = (await others(other))!;
      expect(more).toEqual([]);
      expect(one!.name).toBe('new abababab, 2026-03-04');
      const { pathname, searchParams } = new URL(one!.url);
      expect(pathname).toContain(`/${OTHER_RUN}/mask.nii.gz`);
      expect(searchParams.get('X-Amz-Expires')).toBe('900');
    }
    for (const runId of ['1111111111111111', '2222222222222222', RUN])
      await expect(others([runId])).rejects.toMatchObject({ code: 'no-other-run' });
  });

  it('shows the newest of a large dataset in an address that can be passed on', async () => {
    const bucket = await siteWithCase();
    for (let n = 0; n < 45; n++)
      await addCase(bucket, `case_${n}`, `2026-02-01T00:00:${String(n).padStart(2, '0')}.000Z`);
    const view = await viewSite(bucket.store, page, [], OPTIONS);
    expect(view.leftOut).toBe(6);
    expect(view.cases[0]).toBe('case_44');
    expect(view.cases).not.toContain('turned');
    expect(view.url.length).toBeLessThan(64_000);
  });

  it.skipIf(!chromium)(
    'opens in a browser that can reach nothing but the bucket',
    { timeout: 240_000 },
    async () => {
      const bucket = await siteWithCase();
      await addOtherRuns(bucket, 'turned');
      const { url } = await viewSite(bucket.store, page, [], { ...OPTIONS, other: ['all'] });
      const browser = await openBrowser();
      onTestFinished(() => browser.close());
      const { page: tab, faults } = await browser.newPage({
        viewport: { width: 500, height: 400 },
      });
      // The bucket answers what was signed, as S3 would; whatever else is asked for fails the test.
      await tab.route(/.*/, async (route) => {
        const asked = new URL(route.request().url());
        if (asked.origin !== ORIGIN || !asked.searchParams.has('X-Amz-Signature'))
          return route.abort();
        const key = decodeURIComponent(asked.pathname.slice(1));
        const version = asked.searchParams.get('versionId') ?? undefined;
        const { body } = await bucket.store.open(key, version);
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        const contentType = key.endsWith('.html') ? 'text/html' : 'application/octet-stream';
        return route.fulfill({ body: Buffer.concat(chunks), contentType });
      });
      tab.setDefaultTimeout(120_000);
      await tab.goto(url);
      await tab.waitForSelector('body:not([data-state=loading])[data-state]');
      expect(await tab.locator('#message').textContent()).toBe('');
      expect(await tab.getByRole('heading', { level: 1 }).textContent()).toBe('turned');
      expect(await tab.locator('#readout').textContent()).toMatch(/HU at the cross$/);
      await press(tab, 'f', 'f');
      expect(await messageOf(tab)).toBe('Shown: new abababab, 2026-03-04.');
      expect(faults).toEqual([]);
      // Not even the page itself could send a scan elsewhere.
      const sent = tab.evaluate(
        "fetch('https://elsewhere.example/').then(() => 'sent', () => 'no')",
      );
      expect(await sent).toBe('no');
      expect(faults.join()).toContain('Content Security Policy');
      await tab.getByRole('link', { name: 'Report', exact: true }).click();
      await tab.waitForSelector('h1 bdi');
      expect(await tab.locator('h1').textContent()).toMatch(/^Liver segmentation: /);
    },
  );
});
