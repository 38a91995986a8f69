import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Progress } from '../../cli/progress.ts';
import { type TrainCommandOptions, trainCommand } from '../../cli/train.ts';
import { readTrainingSet } from '../../cli/training/dataset.ts';
import { trainerPython } from '../../cli/training/environment.ts';
import { patientsOf } from '../../core/dataset/training-set.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { nnUNet } from './evaluated-dataset.ts';

const run = promisify(execFile);
/** A shim may be there without its Python. */
const runs = (name: string): boolean => spawnSync(name, ['-c', '']).status === 0;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TRAINER = path.join(ROOT, 'gpu-jobs', 'train');
const PYTHON = path.join(TRAINER, '.venv', 'bin', 'python');
/** Python loads PyTorch more than once, on two cores that others use as well. */
const SLOW_MS = 900_000;

function told(): { progress: Progress; lines: string[] } {
  const lines: string[] = [];
  return { lines, progress: { begin() {}, update() {}, line: (text) => lines.push(text) } };
}

/** Phantoms of two patients: label 1 is the organ, 2 its lesions. */
async function dataset(folder: string): Promise<string> {
  const root = await nnUNet(folder, ['a', 'b']);
  const labels = { background: 0, spleen: 1, lesion: 2 };
  await writeFile(path.join(root, 'dataset.json'), JSON.stringify({ labels }));
  return root;
}

const options = (out: string, more: Partial<TrainCommandOptions> = {}): TrainCommandOptions => ({
  target: 'spleen+lesion',
  out,
  labels: 'all',
  seed: 0,
  steps: 2,
  yes: false,
  ...more,
});

describe('the data set of a training', () => {
  it('is counted slice by slice, ignored ones apart, patients by their table', async () => {
    const root = await dataset(await temporaryFolder());
    const set = await readTrainingSet(root, 'spleen+lesion', told().progress);
    expect(set.labelled.map(({ caseId }) => caseId)).toEqual(['a', 'b']);
    expect(patientsOf(set)).toBe(2);
    for (const { counts } of set.labelled) {
      expect(counts.shown).toBeGreaterThan(3);
      expect(counts.empty).toBeGreaterThan(0);
      expect(counts.shown + counts.empty).toBe(12);
    }
    const names = { background: 0, spleen: 1, ignore: 2 };
    await writeFile(path.join(root, 'dataset.json'), JSON.stringify({ labels: names }));
    await writeFile(path.join(root, 'patients.csv'), 'case,patient\na,one\nb,one\n');
    const sparse = await readTrainingSet(root, 'spleen', told().progress);
    expect(patientsOf(sparse)).toBe(1);
    expect(sparse.labelled.some(({ counts }) => counts.unlabelled > 0)).toBe(true);
  });

  it('is refused where a label cannot be read, or has no image', async () => {
    const root = await dataset(await temporaryFolder());
    const label = path.join(root, 'labelsTr/b.nii');
    const bytes = await readFile(label);
    await writeFile(label, bytes.subarray(0, 2000));
    const read = () => readTrainingSet(root, 'spleen', told().progress);
    await expect(read()).rejects.toMatchObject({ code: 'truncated-data' });
    await writeFile(label, bytes);
    await writeFile(path.join(root, 'labelsTr/c.nii'), bytes);
    await expect(read()).rejects.toMatchObject({ code: 'no-training-set' });
    await expect(
      readTrainingSet(path.join(root, 'labelsTr'), 'spleen', told().progress),
    ).rejects.toMatchObject({ code: 'no-training-set' });
  });
});

describe('what is refused before anything is downloaded', () => {
  it.each([
    ['unknown-target', { target: 'pancreas' }],
    ['too-few-labels', { labels: 500 }],
    ['no-checkpoint', { startFrom: TINY_BUNDLE }],
  ] as const)('%s', async (code, more) => {
    const folder = await temporaryFolder();
    const root = await dataset(folder);
    // A Python that is not there: it would be noticed first if it were looked for.
    const given = options(path.join(folder, 'out'), { python: 'nowhere', ...more });
    await expect(trainCommand(root, given, told().progress)).rejects.toMatchObject({ code });
    expect(existsSync(path.join(folder, 'out'))).toBe(false);
  });
});

describe("the trainer's environment", () => {
  const python = ['python3.11', 'python3.12', 'python3.13'].find((name) => runs(name));

  /** A trainer that needs nothing: what is tried is how an environment comes about. */
  async function needing(folder: string, requirements: string): Promise<string> {
    const trainer = path.join(folder, 'trainer');
    await mkdir(trainer, { recursive: true });
    await writeFile(path.join(trainer, 'requirements-fit.txt'), requirements);
    await writeFile(path.join(trainer, 'requirements.lock'), '');
    return trainer;
  }

  it('is not made without agreement, which says how large and where', async () => {
    const folder = await temporaryFolder();
    const asked: string[] = [];
    const call = {
      trainer: await needing(folder, ''),
      python: undefined,
      cache: path.join(folder, 'cache'),
      agree: async (question: string) => {
        asked.push(question);
        return false;
      },
    };
    if (!python) return;
    await expect(trainerPython(call, told().progress)).rejects.toMatchObject({
      code: 'not-agreed',
      fault: { remedy: expect.stringContaining('--yes') },
    });
    expect(asked).toEqual([
      expect.stringMatching(/GB to download[\s\S]*cache.trainer-[0-9a-f]{12}/),
    ]);
    expect(await readdir(path.join(folder, 'cache'))).toEqual([]);
  });

  it('says what pip says where packages cannot be had, and is made anew next time', async () => {
    if (!python) return;
    const folder = await temporaryFolder();
    const call = {
      trainer: await needing(folder, './not-a-package\n'),
      python: undefined,
      cache: path.join(folder, 'cache'),
      agree: async () => true,
    };
    await expect(trainerPython(call, told().progress)).rejects.toMatchObject({
      code: 'trainer-not-installed',
      fault: {
        found: expect.stringContaining('not-a-package'),
        remedy: expect.stringContaining('--python'),
      },
    });
    const [made] = await readdir(path.join(folder, 'cache'));
    expect(existsSync(path.join(folder, 'cache', made!, 'ready'))).toBe(false);
  }, 180_000);

  it('that is named must have the packages', async () => {
    if (!python) return;
    const folder = await temporaryFolder();
    const call = {
      trainer: await needing(folder, ''),
      python,
      cache: folder,
      agree: async () => true,
    };
    await expect(trainerPython(call, told().progress)).rejects.toMatchObject({
      code: 'trainer-not-installed',
      fault: {
        found: expect.stringContaining('No module named'),
        remedy: expect.stringContaining('pip install -r'),
      },
    });
  });
});

describe.skipIf(!existsSync(PYTHON))('sammix train with its trainer', () => {
  it(
    'stops at Ctrl-C, goes on, and ends in a bundle that runs',
    async () => {
      const folder = await temporaryFolder();
      const root = await dataset(folder);
      const startFrom = await tinyStart(folder, root);
      const out = path.join(folder, 'my bundle');
      const args = [
        ...[path.join(ROOT, 'cli/bin.mjs'), 'train', root, '--target', 'spleen+lesion'],
        ...['--out', out, '--start-from', startFrom, '--python', PYTHON, '--device', 'cpu'],
      ];
      const stopped = await interrupted([...args, '--steps', '45'], /^step \d/m);
      expect(stopped).toMatchObject({ code: 130 });
      expect(stopped.text).toMatch(/stopped at step \d+; the same command goes on/);
      expect(existsSync(path.join(out, 'bundle.json'))).toBe(false);

      const other = trainCommand(root, options(out, { startFrom, steps: 9 }), told().progress);
      await expect(other).rejects.toMatchObject({ code: 'other-training' });

      const { lines, progress } = told();
      const given = options(out, { startFrom, steps: 45, python: PYTHON, device: 'cpu' });
      const { result, text, exitCode } = await trainCommand(root, given, progress);
      expect(exitCode).toBe(0);
      expect(lines.join('\n')).toMatch(/going on at step \d+ with/);
      expect(result).toMatchObject({ state: 'done', name: 'sammix-spleen-lesion' });
      expect(text).toContain(`sammix run SCANS --bundle '${out}' --out results`);
      const page = await readFile(path.join(out, 'training/report.html'), 'utf8');
      expect(page).toContain('Scores of the bundle');

      // A third time there is nothing to do, and no Python is needed for it.
      const again = await trainCommand(root, { ...given, python: 'nowhere' }, told().progress);
      expect(again.result).toEqual(result);

      const ct = path.join(root, 'imagesTr/a_0000.nii');
      const used = [path.join(ROOT, 'cli/bin.mjs'), 'run', ct, '--bundle', out];
      const { stdout } = await run(process.execPath, [
        ...used,
        ...['--out', path.join(folder, 'results'), '--json', '--threads', '1'],
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ segmented: 1 });
    },
    SLOW_MS,
  );
});

/** A bundle of the smallest size that can be trained on: the one under test/golden cannot. */
async function tinyStart(folder: string, root: string): Promise<string> {
  const trained = path.join(folder, 'tiny');
  const data = path.join(folder, 'liver');
  await cp(root, data, { recursive: true });
  const labels = { background: 0, liver: 1, lesion: 2 };
  await writeFile(path.join(data, 'dataset.json'), JSON.stringify({ labels }));
  const call = (...args: string[]) =>
    run(PYTHON, ['-m', 'sammix_train', ...args], { cwd: TRAINER, env: process.env });
  const small = ['--size', 'tiny', '--steps', '2', '--lambda-max', '0'];
  await call('train', '--data', data, '--out', `${trained}-run`, '--device', 'cpu', ...small);
  await call('export', '--run', `${trained}-run`, '--out', trained, '--golden-cases', 'empty-cam');
  return trained;
}

/** Runs a command until a line appears, and interrupts it there. */
async function interrupted(
  args: readonly string[],
  at: RegExp,
): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let sent = false;
  const hear = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
    if (sent || !at.test(text)) return;
    sent = true;
    child.kill('SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, text };
}
