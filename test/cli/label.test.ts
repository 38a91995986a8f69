import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type LabelCommandOptions, labelCommand } from '../../cli/label.ts';
import { silentProgress } from '../../cli/progress.ts';
import { encodeNifti } from '../../core/volume/encode.ts';
import { encodePhantom, phantomAffine, phantomCase } from '../../phantom/phantom.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

/** Two phantoms of eight slices 5 mm apart; the first has slices 0 to 3 labelled, the rest ignored. */
async function dataset(): Promise<string> {
  const root = await temporaryFolder();
  for (const folder of ['imagesTr', 'labelsTr']) await mkdir(path.join(root, folder));
  for (const [at, caseId] of ['one', 'two'].entries()) {
    const phantom = phantomCase({ seed: at + 1, columns: 72, rows: 56, slices: 8 });
    await writeFile(path.join(root, 'imagesTr', `${caseId}_0000.nii`), encodePhantom(phantom).ct);
    if (caseId === 'two') continue;
    const { columns, rows, slices } = phantom.grid;
    const label = new Uint8Array(columns * rows * slices).fill(2, columns * rows * 4);
    label.fill(1, 100, 200);
    const spec = { shape: [columns, rows, slices], affine: phantomAffine(phantom.grid) };
    await writeFile(path.join(root, 'labelsTr', 'one.nii'), encodeNifti(spec, label));
  }
  const labels = { background: 0, liver: 1, ignore: 2 };
  await writeFile(path.join(root, 'dataset.json'), JSON.stringify({ labels }));
  return root;
}

const BASE = { target: 'liver', propose: 5, order: 'next', seed: 0, bundle: TINY_BUNDLE } as const;

async function propose(root: string, options: Partial<LabelCommandOptions> = {}) {
  const { result } = await labelCommand(root, { ...BASE, ...options }, silentProgress);
  return result as {
    readonly bundle: { readonly knowsTarget: boolean };
    readonly labelled: number;
    readonly open: number;
    readonly proposal: readonly { readonly caseId: string; readonly slice: number }[];
  };
}

describe('sammix label', () => {
  it('proposes slices that nobody labelled, and answers again from what it kept', async () => {
    const root = await dataset();
    const first = await propose(root);
    expect(first.labelled + first.open).toBeGreaterThan(5);
    expect(first.labelled).toBeGreaterThan(0);
    expect(first.proposal).toHaveLength(5);
    const [bundle] = await readdir(path.join(root, '.sammix', 'scores'));
    const kept = path.join(root, '.sammix', 'scores', bundle!, 'one.json');
    const scores = JSON.parse(await readFile(kept, 'utf8'));
    // Altered on disk: that the answer changes shows that it was read, and not computed again.
    scores.scores[0].look = scores.scores[0].look.map((value: number) => value + 100);
    await writeFile(kept, JSON.stringify(scores));
    expect(await propose(root)).not.toEqual(first);
    await rm(kept);
    expect(await propose(root)).toEqual(first);
  });

  it('takes said labels instead of those that lie there, and a target that has none', async () => {
    const root = await dataset();
    const all = await propose(root, { labelled: ['none'] });
    expect(all.labelled).toBe(0);
    const some = await propose(root, { labelled: ['two:0=shown'] });
    expect(some).toMatchObject({ labelled: 1, open: all.open - 1 });
    await expect(propose(root, { labelled: ['three:0=shown'] })).rejects.toMatchObject({
      code: 'bad-labelled',
    });
    const spleen = await propose(root, { target: 'spleen' });
    expect(spleen).toMatchObject({ labelled: 0, bundle: { knowsTarget: false } });
  });

  it('keeps to the cases that are named, draws by a seed, and refuses what is not there', async () => {
    const root = await dataset();
    const drawn = await propose(root, { cases: ['two'], order: 'random', seed: 4 });
    expect(new Set(drawn.proposal.map(({ caseId }) => caseId))).toEqual(new Set(['two']));
    expect(await propose(root, { cases: ['two'], order: 'random', seed: 4 })).toEqual(drawn);
    await expect(propose(root, { cases: ['three'] })).rejects.toMatchObject({
      code: 'no-such-case',
    });
    await expect(propose(path.join(root, 'labelsTr'))).rejects.toMatchObject({ code: 'no-scans' });
  });

  it('names scans and labels that cannot be read, and goes on with the others', async () => {
    const root = await dataset();
    const scan = (caseId: string) => path.join(root, 'imagesTr', `${caseId}_0000.nii`);
    const whole = await readFile(scan('two'));
    // One without its last slices, one that is no volume at all, one whose label is damaged.
    await writeFile(scan('cut'), whole.subarray(0, whole.length - 9000));
    await writeFile(scan('text'), 'not a volume');
    await writeFile(scan('mislabelled'), whole);
    await writeFile(path.join(root, 'labelsTr', 'mislabelled.nii'), whole.subarray(0, 400));
    const options = { ...BASE, propose: 100 };
    const { result, text, exitCode } = await labelCommand(root, options, silentProgress);
    const { proposal, unread } = result as {
      proposal: { caseId: string }[];
      unread: { caseId: string; why: string }[];
    };
    expect(new Set(proposal.map(({ caseId }) => caseId))).toEqual(new Set(['one', 'two']));
    expect(unread.map(({ caseId }) => caseId).sort()).toEqual(['cut', 'mislabelled', 'text']);
    for (const { caseId } of unread) expect(text).toContain(`NOT READ ${caseId}: `);
    expect(exitCode).toBe(1);
  });

  it('draws at random without a look at the scans', async () => {
    const root = await dataset();
    const drawn = await propose(root, { order: 'random', propose: 100 });
    expect(drawn.proposal).toHaveLength(drawn.open);
    expect(drawn.labelled + drawn.open).toBe(16);
    expect(await readdir(root)).not.toContain('.sammix');
  });

  it('writes its scores where it is told to', async () => {
    const root = await dataset();
    const cache = await temporaryFolder();
    await propose(root, { cache });
    expect(await readdir(root)).not.toContain('.sammix');
    expect(await readdir(cache)).toHaveLength(1);
  });
});
