import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCases } from '../../cli/view-cases.ts';
import { CaseSources, ViewIndex } from '../../core/contract/view.ts';
import { encodeNifti, encodePair } from '../../core/volume/encode.ts';
import { singleFile } from '../../core/volume/single-file.ts';
import { once, temporaryFolder } from '../support/case.ts';
import { type Cases, runPhantoms } from '../viewer/cases.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));

const shape = [3, 4, 5];
const affine = [
  [-1, 0, 0, 5],
  [0, -2, 0, 6],
  [0, 0, 3, -7],
  [0, 0, 0, 1],
] as const;
const voxels = Int16Array.from({ length: 60 }, (_, n) => n * 7 - 200);

let cases: Cases;
beforeAll(async () => {
  cases = await runPhantoms();
});
afterAll(() => cases.remove());

describe('sammix view', () => {
  it('prints an address, serves page, list and volumes there, and stops on Ctrl-C', async () => {
    const child = spawn(process.execPath, [BIN, 'view', cases.out, '--json']);
    const url = await new Promise<string>((resolve, reject) => {
      let printed = '';
      child.stdout.on('data', (chunk) => {
        printed += chunk;
        if (printed.endsWith('}\n')) resolve(JSON.parse(printed).url);
      });
      child.stderr.on('data', (chunk) => reject(new Error(String(chunk))));
    });
    const page = await fetch(url);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('Not a medical device');
    const index = ViewIndex.parse(await (await fetch(new URL('cases.json', url))).json());
    expect(index.cases.map(({ caseId, status }) => [caseId, status])).toEqual([
      ['cut', 'failed'],
      ['plain', 'segmented'],
      ['turned', 'segmented'],
    ]);
    const [, plain] = index.cases;
    expect(plain).toMatchObject({
      image: { name: 'plain.nii' },
      label: { name: 'plain_label.nii' },
      reviewFlags: ['slice-jump'],
      imageMissing: null,
    });
    const image = await fetch(new URL(plain!.image!.url, url));
    const bytes = Buffer.from(await image.arrayBuffer());
    expect(bytes.equals(await readFile(path.join(cases.input, 'plain.nii')))).toBe(true);
    // The page is given names of files, not where they lie.
    expect(JSON.stringify(index)).not.toContain(cases.root);
    // Nor any file that the run did not name, whatever the address says.
    for (const path of [
      'cases/1/sources.json',
      'cases/1/../../plain.nii',
      'cases/1/%2e%2e/plain.nii',
    ])
      expect((await fetch(new URL(path, url))).status, path).toBe(404);
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });
});

describe('an image of two files', () => {
  it('is served whole, as often as it is asked for', async () => {
    const folder = await temporaryFolder();
    await cp(path.join(cases.out, 'plain'), path.join(folder, 'plain'), { recursive: true });
    const { headerBytes, imageBytes } = encodePair({ shape, affine }, voxels);
    const image = path.join(folder, 'ct.hdr');
    await writeFile(image, headerBytes);
    await writeFile(path.join(folder, 'ct.img'), imageBytes);
    const child = spawn(process.execPath, [BIN, 'view', folder, '--image', image, '--json']);
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += chunk;
      if (printed.endsWith('}\n')) break;
    }
    const { url } = JSON.parse(printed);
    const index = ViewIndex.parse(await (await fetch(new URL('cases.json', url))).json());
    const whole = Buffer.from(encodeNifti({ shape, affine }, voxels));
    for (const time of ['first', 'second']) {
      const answer = await fetch(new URL(index.cases[0]!.image!.url, url));
      expect(whole.equals(Buffer.from(await answer.arrayBuffer())), time).toBe(true);
    }
    child.kill('SIGINT');
  });
});

describe('findCases', () => {
  it('knows from sources.json where a run found its files', async () => {
    const file = path.join(cases.out, 'plain', 'sources.json');
    expect(CaseSources.parse(JSON.parse(await readFile(file, 'utf8')))).toEqual({
      schemaVersion: 1,
      image: path.join(cases.input, 'plain.nii'),
      pairedImage: null,
      label: path.join(cases.input, 'plain_label.nii'),
    });
  });

  it('says where an image was that has gone, and takes another instead', async () => {
    const moved = path.join(await temporaryFolder(), 'case');
    await cp(path.join(cases.out, 'plain'), moved, { recursive: true });
    const image = path.join(cases.input, 'turned.nii');
    const sources = { schemaVersion: 1, image: '/nowhere/ct.nii', pairedImage: null, label: null };
    await writeFile(path.join(moved, 'sources.json'), JSON.stringify(sources));
    const [without] = await findCases(moved, {});
    expect(without).toMatchObject({ image: null, label: null });
    expect(without!.facts.imageMissing).toMatch(/no longer at \/nowhere\/ct\.nii.*--image/);
    const [given] = await findCases(moved, { image });
    expect(given).toMatchObject({ image, facts: { imageMissing: null } });
    await rm(path.join(moved, 'sources.json'));
    const [unknown] = await findCases(moved, {});
    expect(unknown!.facts.imageMissing).toMatch(/not known here/);
    await expect(findCases(moved, { image: '/nowhere' })).rejects.toMatchObject({
      code: 'no-such-file',
    });
  });

  it('opens cases that were run before there was a CAM file', async () => {
    const old = path.join(await temporaryFolder(), 'old');
    await cp(path.join(cases.out, 'plain'), old, { recursive: true });
    await rm(path.join(old, 'cam.nii.gz'));
    expect((await findCases(old, {}))[0]).toMatchObject({
      cam: null,
      mask: path.join(old, 'mask.nii.gz'),
    });
  });

  it('finds the cases of an evaluation, leaves out damaged ones, and refuses folders without any', async () => {
    const folder = await temporaryFolder();
    await expect(findCases(folder, {})).rejects.toMatchObject({ code: 'no-cases' });
    await mkdir(path.join(folder, 'cases'));
    for (const caseId of ['plain', 'turned'])
      await cp(path.join(cases.out, caseId), path.join(folder, 'cases', caseId), {
        recursive: true,
      });
    expect((await findCases(folder, {})).map(({ facts }) => facts.caseId)).toEqual([
      'plain',
      'turned',
    ]);
    const image = path.join(cases.input, 'plain.nii');
    await expect(findCases(folder, { image })).rejects.toMatchObject({
      code: 'one-file-for-many',
    });
    const damage = (caseId: string): Promise<void> =>
      writeFile(path.join(folder, 'cases', caseId, 'report.json'), '{"status":"new"}');
    await damage('plain');
    expect((await findCases(folder, {})).map(({ facts }) => facts.caseId)).toEqual(['turned']);
    await damage('turned');
    await expect(findCases(folder, {})).rejects.toMatchObject({ code: 'bad-report' });
  });
});

describe('singleFile', () => {
  const all = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
  };

  it('undoes gzip of one and of many members', async () => {
    const plain = encodeNifti({ shape, affine }, voxels);
    const parts = [plain.subarray(0, 100), plain.subarray(100)].map((part) => gzipSync(part));
    for (const packed of [gzipSync(plain), Buffer.concat(parts)])
      expect((await all(singleFile(once(packed), 'x'))).equals(plain)).toBe(true);
    expect((await all(singleFile(once(plain), 'x'))).equals(plain)).toBe(true);
  });

  it.each([1, 2] as const)('puts a pair of NIfTI-%i together', async (version) => {
    const spec = { shape, affine, version };
    const { headerBytes, imageBytes } = encodePair(spec, voxels);
    const joined = await all(singleFile(once(headerBytes), 'x', once(gzipSync(imageBytes))));
    expect(joined.equals(encodeNifti(spec, voxels))).toBe(true);
  });
});
