import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openLabelling } from '../../cli/labelling/server.ts';
import { LabelState } from '../../core/contract/label-page.ts';
import { drawInto, kindsOf, namesWith } from '../../core/labelling/label-plane.ts';
import { fillHole, stroke } from '../../core/labelling/paint.ts';
import { encodeNifti } from '../../core/volume/encode.ts';
import { phantomCase } from '../../phantom/phantom.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));
const PYTHON = fileURLToPath(new URL('../../gpu-jobs/train/.venv/bin/python', import.meta.url));
const { hu, grid } = phantomCase({ seed: 5, columns: 40, rows: 32, slices: 8 });
const SIZE = grid.columns * grid.rows;
const SLICE = 4;

/** Stored with every axis turned: slices first, rows and columns upwards, oblique by a little. */
function turned<T extends Int16Array | Uint8Array>(canonical: T): T {
  const { columns, rows, slices } = grid;
  const stored = canonical.slice() as T;
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++)
        stored[((columns - 1 - i) * rows + (rows - 1 - j)) * slices + k] =
          canonical[k * SIZE + j * columns + i]!;
  return stored;
}
const spec = {
  shape: [grid.slices, grid.rows, grid.columns],
  affine: [
    [0.1, 0, 0.9, -17],
    [0, 1.1, 0, -23],
    [4.9, 0, -0.02, 41],
    [0, 0, 0, 1],
  ],
} as const;

async function dataset(): Promise<string> {
  const root = await temporaryFolder();
  for (const folder of ['imagesTr', 'labelsTr']) await mkdir(path.join(root, folder));
  await writeFile(path.join(root, 'imagesTr', 'one_0000.nii'), encodeNifti(spec, turned(hu)));
  const labels = { background: 0, spleen: 1, kidney: 2 };
  await writeFile(path.join(root, 'dataset.json'), JSON.stringify({ name: 'x', labels }));
  const label = new Uint8Array(hu.length);
  label.fill(2, SLICE * SIZE + 100, SLICE * SIZE + 120);
  await writeFile(path.join(root, 'labelsTr', 'one.nii'), encodeNifti(spec, turned(label)));
  return root;
}

const mask = Uint8Array.from({ length: SIZE }, (_, n) => (n >= 110 && n < 140 ? 1 : 0));
const asked = (one: Uint8Array) =>
  JSON.stringify({ caseId: 'one', slice: SLICE, kinds: Buffer.from(one).toString('base64') });

const OPTIONS = {
  target: 'spleen',
  bundle: TINY_BUNDLE,
  order: 'next',
  seed: 0,
  slices: 9,
  port: 0,
} as const;

/** Canonical value at slice, row * columns + column, as nibabel finds it by the affine of the image. */
const NIBABEL = `
import json, sys, nibabel, numpy
image, label = (nibabel.load(f) for f in sys.argv[1:3])
a = nibabel.as_closest_canonical(label).get_fdata()[::-1, ::-1, :].astype(int)
print(json.dumps([bool(numpy.array_equal(image.affine, label.affine)), image.shape == label.shape, str(label.get_data_dtype()),
  a[:, :, ${SLICE}].T.reshape(-1).tolist(), [int(v) for v in numpy.unique(numpy.delete(a, ${SLICE}, 2))]]))`;

describe('sammix label', () => {
  it('keeps a stroke through kill -9, and leaves what nibabel reads on the grid of the image', async () => {
    const root = await dataset();
    const args = [BIN, 'label', root, '--target', 'spleen', '--bundle', TINY_BUNDLE, '--json'];
    const child = spawn(process.execPath, args);
    const url = await new Promise<string>((resolve) => {
      let printed = '';
      child.stdout.on('data', (chunk) => {
        printed += chunk;
        if (printed.endsWith('}\n')) resolve(JSON.parse(printed).url);
      });
    });
    const answer = await fetch(new URL('save', url), { method: 'POST', body: asked(mask) });
    expect(answer.status).toBe(200);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.on('close', resolve));
    expect(await readdir(path.join(root, '.sammix', 'strokes', 'spleen', 'one'))).toEqual([
      String(SLICE),
    ]);

    const { stop } = await openLabelling(root, OPTIONS);
    await stop();
    expect(await readdir(path.join(root, '.sammix', 'strokes', 'spleen'))).toEqual([]);
    if (!existsSync(PYTHON)) return console.warn(`not compared with nibabel: no ${PYTHON}`);
    const files = ['imagesTr/one_0000.nii', 'labelsTr/one.nii'].map((file) =>
      path.join(root, file),
    );
    const { stdout, stderr } = spawnSync(PYTHON, ['-c', NIBABEL, ...files], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const [affine, shape, dtype, plane, elsewhere] = JSON.parse(stdout);
    expect([affine, shape, dtype, elsewhere]).toEqual([true, true, 'uint8', [0]]);
    // The kidney keeps its voxels where the spleen was drawn over it.
    const expected = Array.from(mask, (value, n) => (n >= 100 && n < 120 ? 2 : value));
    expect(plane).toEqual(expected);
  }, 120_000);

  it('answers only its own page, and says what is wrong with a request', async () => {
    const { server, stop } = await openLabelling(await dataset(), OPTIONS);
    onTestFinished(stop);
    const post = (url: string, body: string, headers = {}) =>
      fetch(new URL(url, server.url), { method: 'POST', body, headers });
    expect((await post('save', asked(mask), { origin: 'http://elsewhere' })).status).toBe(403);
    expect((await post('/x/save', asked(mask))).status).toBe(405);
    expect((await post('other', '{}')).status).toBe(405);
    expect((await fetch(new URL('save', server.url))).status).toBe(404);
    expect((await post('save', '{}')).status).toBe(409);
    const beyond = JSON.stringify({ caseId: 'one', slice: 99 });
    expect(await (await post('slice', beyond)).text()).toContain('slice 99');
    expect((await post('save', asked(new Uint8Array(3)))).status).toBe(409);
    const drawn = await post(
      'box',
      JSON.stringify({ caseId: 'one', slice: 1, box: [5, 5, 30, 20], hint: null }),
    );
    const found = new Uint8Array(await drawn.arrayBuffer());
    expect(found).toHaveLength(SIZE);
    expect(
      found.some((value, n) => value && (n % grid.columns > 30 || n / grid.columns >= 21)),
    ).toBe(false);
  });

  it('lets one at a time label a data set, and adds names to those that are there', async () => {
    const root = await dataset();
    const { stop } = await openLabelling(root, { ...OPTIONS, target: 'liver' });
    onTestFinished(stop);
    await expect(openLabelling(root, OPTIONS)).rejects.toMatchObject({ code: 'output-in-use' });
    const written = JSON.parse(await readFile(path.join(root, 'dataset.json'), 'utf8'));
    expect(written).toEqual({
      name: 'x',
      labels: { background: 0, spleen: 1, kidney: 2, liver: 3, ignore: 4 },
    });
  });
});

describe('the slices that the page goes to', () => {
  async function unlabelled(): Promise<string> {
    const root = await dataset();
    await rm(path.join(root, 'labelsTr', 'one.nii'));
    return root;
  }

  it('are those of the scans that can be read, while the others are named', async () => {
    const root = await unlabelled();
    const file = path.join(root, 'imagesTr', 'before_0000.nii');
    await writeFile(file, encodeNifti(spec, turned(hu)).subarray(0, 4000));
    const { server, state, stop } = await openLabelling(root, OPTIONS);
    onTestFinished(stop);
    expect(state.cases.map(({ caseId }) => caseId)).toContain('one');
    const next = await fetch(new URL('next', server.url), { method: 'POST', body: '{}' });
    expect(await next.json()).toMatchObject({ caseId: 'one' });
    const told = LabelState.parse(await (await fetch(new URL('state.json', server.url))).json());
    expect(told.unread).toEqual([{ caseId: 'before', why: expect.any(String) }]);
  });

  it('at random wait for no scores', async () => {
    const root = await unlabelled();
    const { server, stop } = await openLabelling(root, { ...OPTIONS, order: 'random' });
    onTestFinished(stop);
    const next = await fetch(new URL('next', server.url), { method: 'POST', body: '{}' });
    expect(await next.json()).toMatchObject({ caseId: 'one', why: 'Drawn at random.' });
    expect(await readdir(path.join(root, '.sammix'))).not.toContain('scores');
  });
});

describe('a label', () => {
  it('is not drawn of a region, and nothing is written then', async () => {
    const root = await dataset();
    const file = path.join(root, 'dataset.json');
    const labels = { background: 0, spleen: 1, kidney: 2, both: [1, 2] };
    await writeFile(file, JSON.stringify({ labels }));
    const before = await readFile(file, 'utf8');
    for (const target of ['spleen+kidney', 'both', 'background'])
      await expect(openLabelling(root, { ...OPTIONS, target })).rejects.toMatchObject({
        code: 'target-not-one-value',
      });
    expect(await readFile(file, 'utf8')).toBe(before);
    const { stop } = await openLabelling(root, OPTIONS);
    await stop();
  });

  it('keeps every voxel of other classes, and has no voxel left that nobody labelled', () => {
    const planes = fc.uint8Array({ minLength: 12, maxLength: 12, max: 5 });
    fc.assert(
      fc.property(
        planes,
        fc.uint8Array({ minLength: 12, maxLength: 12, max: 1 }),
        (before, drawn) => {
          const values = { target: 2, ignore: 5 };
          const plane = before.slice();
          drawInto(plane, drawn, values);
          before.forEach((value, n) => {
            const free = [0, 2, 5].includes(value);
            expect(plane[n]).toBe(free ? 2 * drawn[n]! : value);
          });
          expect(kindsOf(plane, values)).not.toContain(2);
          const again = plane.slice();
          drawInto(again, drawn, values);
          expect(again).toEqual(plane);
        },
      ),
    );
  });

  it('has names by either of the ways of nnU-Net', () => {
    expect(namesWith(undefined, 'spleen')).toEqual({ background: 0, spleen: 1, ignore: 2 });
    const numbers = namesWith({ '0': 'background', '1': 'liver' }, 'spleen');
    expect(numbers).toEqual({ '0': 'background', '1': 'liver', '2': 'spleen', '3': 'ignore' });
    const regions = { background: 0, whole: [1, 2], core: 2, ignore: 3 };
    expect(namesWith(regions, 'core')).toEqual(regions);
  });
});

describe('strokes', () => {
  it('are round, joined, and end at the edge', () => {
    const plane = { columns: 20, rows: 10, mask: new Uint8Array(200) };
    stroke(plane, { x: 5, y: 5 }, { x: 12, y: 5 }, 2, 1);
    const set = [...plane.mask.keys()].filter((n) => plane.mask[n]);
    for (let y = 0; y < 10; y++)
      for (let x = 0; x < 20; x++) {
        const off = Math.hypot(x - Math.min(12, Math.max(5, x)), y - 5);
        expect(set.includes(y * 20 + x)).toBe(off <= 2);
      }
    stroke(plane, { x: -3, y: -3 }, { x: 40, y: 30 }, 50, 0);
    expect(plane.mask).not.toContain(1);
  });

  it('close a hole and nothing that is open', () => {
    const plane = { columns: 9, rows: 9, mask: new Uint8Array(81) };
    stroke(plane, { x: 4, y: 4 }, { x: 4, y: 4 }, 3, 1);
    stroke(plane, { x: 4, y: 4 }, { x: 4, y: 4 }, 1, 0);
    const holed = plane.mask.filter((value) => value).length;
    expect(fillHole(plane, { x: 0, y: 0 })).toBe(false);
    expect(fillHole(plane, { x: 4.3, y: 3.8 })).toBe(true);
    expect(plane.mask.filter((value) => value)).toHaveLength(holed + 5);
  });
});
