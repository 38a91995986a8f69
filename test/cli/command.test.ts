import { spawn, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../cli/exit-codes.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { RunSummary } from '../../core/contract/summary.ts';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));

interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The command as a user starts it: a process of its own. */
function sammix(...args: string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args]);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const run = (input: string, out: string, ...more: string[]): Promise<Finished> =>
  sammix('run', input, '--out', out, '--bundle', TINY_BUNDLE, '--threads', '1', ...more);

const reportOf = async (out: string, caseId: string): Promise<CaseReport> =>
  CaseReport.parse(JSON.parse(await readFile(path.join(out, caseId, 'report.json'), 'utf8')));

let image: Uint8Array;
let label: Uint8Array;
beforeAll(() => {
  ({ image, label } = phantomFile({ seed: 3, columns: 48, rows: 48, slices: 20 }));
});

describe('sammix run', () => {
  it('does good cases, reports bad ones, resumes, and redoes what changed', async () => {
    const folder = await temporaryFolder();
    const [input, out] = [path.join(folder, 'in'), path.join(folder, 'out')];
    await mkdir(input);
    await writeFile(path.join(input, 'good.nii'), image);
    await writeFile(path.join(input, 'good_label.nii'), label);
    await writeFile(path.join(input, 'cut.nii'), image.subarray(0, 5000));
    await writeFile(path.join(input, 'text.nii.gz'), 'not a volume');

    const first = await run(input, out, '--label', input, '--json');
    expect(first.code, first.stderr).toBe(EXIT.someCasesFailed);
    const summary = RunSummary.parse(JSON.parse(first.stdout));
    expect(summary).toMatchObject({ segmented: 1, failed: 2, skipped: 0 });
    expect(first.stderr).toMatch(/FAILED cut: cut\.nii: expected \d+ bytes of voxels/);
    expect(first.stderr).toMatch(/FAILED text: text\.nii\.gz: expected a NIfTI-1 or NIfTI-2 file/);
    expect((await readdir(path.join(out, 'good'))).sort()).toEqual([
      'cam.nii.gz',
      'gallery.png',
      'mask.nii.gz',
      'overlay.png',
      'report.html',
      'report.json',
      'sources.json',
      'thumbnail.png',
    ]);
    // A failed case has its report and nothing half written.
    expect((await readdir(path.join(out, 'cut'))).sort()).toEqual(['report.html', 'report.json']);
    expect(await reportOf(out, 'cut')).toMatchObject({
      status: 'failed',
      stage: 'split',
      fault: { code: 'truncated-data' },
    });
    const csv = (await readFile(path.join(out, 'summary.csv'), 'utf8')).trim().split('\r\n');
    expect(csv).toHaveLength(4);

    const written = (await stat(path.join(out, 'good/mask.nii.gz'))).mtimeMs;
    await rm(path.join(input, 'cut.nii'));
    await rm(path.join(input, 'text.nii.gz'));
    const second = await run(input, out, '--label', input);
    expect(second.code).toBe(EXIT.ok);
    expect(second.stderr).toMatch(/kept {3}good: input, bundle and parameters unchanged/);
    expect((await stat(path.join(out, 'good/mask.nii.gz'))).mtimeMs).toBe(written);

    const changed = await run(input, out, '--label', input, '--no-postprocess');
    expect(changed.stderr).toMatch(/done {3}good: /);
    expect(await reportOf(out, 'good')).toMatchObject({ parameters: { fillHoles: false } });
    const forced = await run(input, out, '--label', input, '--no-postprocess', '--force', '-q');
    expect(forced).toMatchObject({ code: EXIT.ok, stderr: '', stdout: '' });
  });

  it('refuses a broken bundle before it touches the output', async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, 'a.nii'), image);
    const out = path.join(folder, 'out');
    const { code, stderr } = await sammix(
      'run',
      path.join(folder, 'a.nii'),
      '--out',
      out,
      '--bundle',
      folder,
    );
    expect(code).toBe(EXIT.bundle);
    expect(stderr).toMatch(/^sammix: .*bundle\.json: expected a file of the bundle/);
    await expect(stat(out)).rejects.toThrow();
  });

  it('says that the output cannot be written', async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, 'a.nii'), image);
    await writeFile(path.join(folder, 'file'), '');
    const { code, stderr } = await run(path.join(folder, 'a.nii'), path.join(folder, 'file/out'));
    expect(code, stderr).toBe(EXIT.storage);
    expect(stderr).toMatch(/sammix: .*expected a file that can be/);
  });
});

describe('other commands', () => {
  it('check names every problem with its remedy', async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, 'good.nii'), image);
    await writeFile(path.join(folder, 'label.nii'), label);
    const good = await sammix('check', path.join(folder, 'good.nii'), '--json');
    expect(JSON.parse(good.stdout).files).toMatchObject([
      { usable: true, orientation: 'LPS', dtype: 'int16', shape: [48, 48, 20] },
    ]);
    expect(good.code).toBe(EXIT.ok);
    const bad = await sammix('check', path.join(folder, 'label.nii'));
    expect(bad.code).toBe(EXIT.someCasesFailed);
    expect(bad.stdout).toMatch(/REFUSED label[\s\S]*error not-hu: /);
    const quiet = await sammix('check', folder, path.join(folder, 'label.nii'), '--quiet');
    expect(quiet.stdout).toBe('');
    expect(quiet.stderr).toMatch(/^REFUSED label[\s\S]*error not-hu: /);
    expect(quiet.stderr).not.toContain('good');
  });

  it('phantom writes the same bytes for the same seed', async () => {
    const folder = await temporaryFolder();
    const [a, b] = [path.join(folder, 'a'), path.join(folder, 'b')];
    for (const out of [a, b])
      expect((await sammix('phantom', '--out', out, '--seed', '9')).code).toBe(EXIT.ok);
    const file = 'imagesTr/phantom_0001_0000.nii.gz';
    const [first, second] = await Promise.all([a, b].map((out) => readFile(path.join(out, file))));
    expect(first!.equals(second!)).toBe(true);
    expect(await readdir(path.join(a, 'labelsTr'))).toEqual(['phantom_0001.nii.gz']);
  });

  it('--dry-run says what would be done, and writes nothing', async () => {
    const folder = await temporaryFolder();
    const [input, out] = [path.join(folder, 'in'), path.join(folder, 'out')];
    await mkdir(input);
    await writeFile(path.join(input, 'first.nii'), image);
    await run(input, out, '--quiet');
    await writeFile(path.join(input, 'second.nii'), image);
    const before = await readFile(path.join(out, 'summary.json'));
    const { code, stdout } = await run(input, out, '--dry-run', '--json');
    expect(code).toBe(EXIT.ok);
    const { cases } = JSON.parse(stdout);
    expect(cases).toMatchObject([
      { caseId: 'first', action: 'keep', label: null },
      { caseId: 'second', action: 'segment' },
    ]);
    expect(await readFile(path.join(out, 'summary.json'))).toEqual(before);
    expect(await readdir(out)).not.toContain('second');
  });

  it('--device cuda fails where there is no GPU, and cpu runs', async () => {
    const folder = await temporaryFolder();
    const [input, out] = [path.join(folder, 'first.nii'), path.join(folder, 'out')];
    await writeFile(input, image);
    expect((await run(input, out, '--device', 'cpu', '--quiet')).code).toBe(EXIT.ok);
    expect(await reportOf(out, 'first')).toMatchObject({
      provenance: { backend: { provider: 'cpu' } },
    });
    const refused = await run(input, out, '--device', 'cuda', '--force');
    expect(refused.code).toBe(EXIT.bundle);
    expect(refused.stderr).toMatch(/expected one of the backends cuda/);
  });

  it('completion offers every command and option in bash', async () => {
    const { code, stdout } = await sammix('completion', 'bash');
    expect(code).toBe(EXIT.ok);
    const offered = (...words: string[]): string[] => {
      const script = `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sammix; echo "\${COMPREPLY[@]}"`;
      const { stdout: reply } = spawnSync('bash', ['-c', script, 'bash', ...words]);
      return String(reply).trim().split(' ');
    };
    expect(offered('sammix', 'ev')).toEqual(['evaluate']);
    expect(offered('sammix', 'run', '--thre')).toEqual(['--threads', '--threshold']);
    expect(offered('sammix', 'site', 'promo')).toEqual(['promote']);
    expect(offered('sammix', 'site', 'status', '--reg')).toEqual(['--region']);
    expect(offered('sammix', 'run', 'a.nii', '--dry')).toEqual(['--dry-run']);
  });

  it('info shows the verified bundle', async () => {
    const { code, stdout } = await sammix('info', '--bundle', TINY_BUNDLE);
    expect(code).toBe(EXIT.ok);
    expect(stdout).toMatch(/digest +[0-9a-f]{64}/);
    expect(stdout).toMatch(/research only; not a medical device/);
  });

  it.each([
    [['run'], EXIT.usage],
    [['run', 'a.nii'], EXIT.usage],
    [['phantom', '--out', 'x', '--cases', '0'], EXIT.usage],
    [['unknown'], EXIT.usage],
    [['--version'], EXIT.ok],
    [['run', '--help'], EXIT.ok],
  ])('sammix %j exits with %i', async (args, code) => {
    expect((await sammix(...args)).code).toBe(code);
  });
});
