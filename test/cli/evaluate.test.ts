import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../cli/exit-codes.ts';
import { Evaluation, History } from '../../core/contract/evaluation.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { byId, evaluate, nnUNet, ON_OTHER_GRID, PHANTOMS, SIZE } from './evaluated-dataset.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));
/** Two cores that others use as well. */
const SLOW_MS = 180_000;

const json = async (...parts: string[]): Promise<unknown> =>
  JSON.parse(await readFile(path.join(...parts), 'utf8'));

describe('sammix evaluate with a model', () => {
  it(
    'measures good cases, keeps bad ones in the table, and goes on where it was',
    async () => {
      const folder = await temporaryFolder();
      const dataset = await nnUNet(folder, ['a', 'b', 'cut']);
      await writeFile(
        path.join(dataset, 'imagesTr/cut_0000.nii'),
        PHANTOMS[2]!.image.subarray(0, 5000),
      );
      await writeFile(path.join(dataset, 'imagesTr/grid_0000.nii'), PHANTOMS[3]!.image);
      await writeFile(path.join(dataset, 'labelsTr/grid.nii'), ON_OTHER_GRID.label);
      await writeFile(path.join(dataset, 'imagesTr/lone_0000.nii'), PHANTOMS[3]!.image);
      const patients = path.join(folder, 'patients.csv');
      await writeFile(patients, 'patient,case\r\n"one, both",a\r\n"one, both",b\r\n');
      const out = path.join(folder, 'out');

      const first = await evaluate(dataset, out, { patients });
      expect(first.exitCode).toBe(EXIT.someCasesFailed);
      expect(first.evaluation).toMatchObject({ dataset: 'Dataset001_Liver', patients: 4 });
      expect(first.evaluation.counts).toMatchObject({
        failed: 1,
        'label-unusable': 1,
        unlabelled: 1,
      });
      expect(byId(first.evaluation, 'cut')).toMatchObject({ fault: { code: 'truncated-data' } });
      expect(byId(first.evaluation, 'grid')).toMatchObject({ fault: { code: 'shape-differs' } });
      const good = byId(first.evaluation, 'a');
      expect(good).toMatchObject({ patientId: 'one, both', scan: { orientation: 'LPS' } });
      expect(good.scores).toHaveLength(SIZE.slices);
      expect(good.liverSliceRecall).not.toBeNull();
      expect(good.paper!.slices).toBeGreaterThan(0);
      // The failed case counts as Dice 0; the one whose label cannot be used is in no mean.
      const dice = first.evaluation.metrics.find((metric) => metric.name === 'dice')!;
      expect(dice).toMatchObject({ count: 2, leftOut: 1, worst: 0 });
      expect(dice.meanWithWorst.estimate).toBeCloseTo(dice.mean.estimate! / 2, 12);

      expect((await readdir(out)).sort()).toEqual([
        'cases',
        'cases.csv',
        'evaluation.html',
        'evaluation.json',
        'history.json',
      ]);
      expect(Evaluation.parse(await json(out, 'evaluation.json'))).toEqual(first.evaluation);
      const csv = (await readFile(path.join(out, 'cases.csv'), 'utf8')).trim().split('\r\n');
      expect(csv).toHaveLength(1 + 5);
      expect(csv[1]).toMatch(/^a,"one, both",[0-9a-f]{16},/);
      expect(await readFile(path.join(out, 'evaluation.html'), 'utf8')).toContain(
        '<!doctype html>',
      );

      const unusable = await json(out, 'cases/grid/report.json');
      const second = await evaluate(dataset, out, { patients });
      expect(second.lines.filter((line) => line.startsWith('kept'))).toHaveLength(2);
      // Nothing has changed for the label that cannot be used either.
      expect(await json(out, 'cases/grid/report.json')).toEqual(unusable);
      expect(second.evaluation.comparison).toMatchObject({
        previous: { evaluationId: first.evaluation.evaluationId },
        diceDifference: { estimate: 0 },
        moved: [],
      });
      expect(second.evaluation.drift.every((signal) => !signal.drifted)).toBe(true);
      const history = History.parse(await json(out, 'history.json'));
      expect(history.entries.map((entry) => entry.evaluationId)).toEqual([
        first.evaluation.evaluationId,
        second.evaluation.evaluationId,
      ]);
    },
    SLOW_MS,
  );

  it('measures again what an older version compared less thoroughly', async () => {
    const folder = await temporaryFolder();
    const dataset = await nnUNet(folder, ['a']);
    const out = path.join(folder, 'out');
    const { evaluation } = await evaluate(dataset, out);
    const file = path.join(out, 'cases/a/report.json');
    const report = CaseReport.parse(await json(file));
    if (report.status !== 'segmented') throw new Error('the case must be segmented');
    const { sliceVoxels: _, ...panel } = report.comparison!.panel;
    const { paper: __, ...comparison } = report.comparison!;
    const old = { ...report, comparison: { ...comparison, panel } };
    expect(CaseReport.safeParse(old).success).toBe(true);
    await writeFile(file, JSON.stringify(old));
    const again = await evaluate(dataset, out);
    expect(again.lines[0]).toMatch(/^done/);
    expect(again.evaluation.cases[0]).toEqual({
      ...evaluation.cases[0],
      seconds: again.evaluation.cases[0]!.seconds,
    });
  });

  it('says how long a case took by the clock, though slabs run two at a time', async () => {
    const folder = await temporaryFolder();
    const dataset = await nnUNet(folder, ['a', 'b']);
    const startedMs = performance.now();
    const { evaluation } = await evaluate(dataset, path.join(folder, 'out'), { slicesPerJob: 2 });
    const passed = (performance.now() - startedMs) / 1000;
    const said = evaluation.cases.reduce((sum, { seconds }) => sum + seconds!, 0);
    expect(said).toBeGreaterThan(0);
    expect(said).toBeLessThan(passed);
  });

  it('takes over what a run has made of the same images, and nothing else', async () => {
    const folder = await temporaryFolder();
    const dataset = await nnUNet(folder, ['a', 'b']);
    const [results, out, anew] = ['run', 'out', 'anew'].map((name) => path.join(folder, name));
    const images = path.join(dataset, 'imagesTr');
    const runArgs = ['--bundle', TINY_BUNDLE, '--threads', '1', '--quiet'];
    expect(
      spawnSync(process.execPath, [BIN, 'run', images, '--out', results!, ...runArgs]).status,
    ).toBe(0);
    const madeAt = (await stat(path.join(results!, 'a/mask.nii.gz'))).mtimeMs;
    // A case of another run is not taken.
    await rm(path.join(results!, 'b/cam.nii.gz'));
    const reused = await evaluate(dataset, out!, { reuse: results! });
    const fresh = await evaluate(dataset, anew!);
    const values = ({ evaluation }: { evaluation: Evaluation }) =>
      evaluation.cases.map(({ caseId, status, metrics }) => ({ caseId, status, metrics }));
    expect(values(reused)).toEqual(values(fresh));
    // How long the graphs took is that of the run where the mask is.
    const seconds = async (file: string): Promise<number> => {
      const report = CaseReport.parse(await json(file, 'report.json'));
      return report.status === 'segmented' ? report.timings.segmentSeconds : Number.NaN;
    };
    const pair = (name: string) =>
      Promise.all([`${results}/${name}`, `${out}/cases/${name}`].map(seconds));
    const [[before, after], [ofDamaged, ofAnew]] = [await pair('a'), await pair('b')];
    expect(after).toBe(before);
    expect(ofAnew).not.toBe(ofDamaged);
    expect((await stat(path.join(results!, 'a/mask.nii.gz'))).mtimeMs).toBe(madeAt);
    await expect(evaluate(dataset, out!, { reuse: '/nope' })).rejects.toThrow(/--reuse/);
  });

  it(
    'killed in the middle, it goes on without redoing what is finished',
    async () => {
      const folder = await temporaryFolder();
      const dataset = await nnUNet(folder, ['a', 'b', 'c']);
      const out = path.join(folder, 'out');
      const args = ['evaluate', dataset, '--out', out, '--bundle', TINY_BUNDLE, '--threads', '1'];
      const child = spawn(process.execPath, [BIN, ...args]);
      await finishedCases(child, 2);
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      await expect(stat(path.join(out, 'evaluation.json'))).rejects.toThrow();
      const mask = (name: string) => path.join(out, 'cases', name, 'mask.nii.gz');
      const written = await Promise.all(['a', 'b'].map((name) => stat(mask(name))));

      const { evaluation, lines } = await evaluate(dataset, out, { slicesPerJob: 32 });
      expect(lines.slice(0, 2).map((line) => line.slice(0, 8))).toEqual(['kept   a', 'kept   b']);
      expect(lines[2]).toMatch(/^done {3}c/);
      for (const [n, name] of ['a', 'b'].entries())
        expect((await stat(mask(name))).mtimeMs).toBe(written[n]!.mtimeMs);

      const whole = await evaluate(dataset, path.join(folder, 'whole'), { slicesPerJob: 32 });
      const timeless = (one: Evaluation) => ({
        ...one,
        evaluationId: '',
        createdAt: '',
        cases: one.cases.map((row) => ({ ...row, seconds: 0 })),
      });
      expect(timeless(evaluation)).toEqual(timeless(whole.evaluation));
    },
    SLOW_MS,
  );
});

/** Resolves when the command has said of `count` cases that they are done. */
function finishedCases(child: ChildProcess, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split('\n').filter((line) => line.startsWith('done')).length >= count) resolve();
    });
    child.once('close', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}
