import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../cli/exit-codes.ts';
import { terminalProgress, visible } from '../../cli/progress.ts';
import { phantomFile, TINY_BUNDLE } from '../support/case.ts';

const BIN = path.resolve(import.meta.dirname, '../../cli/bin.mjs');
const SLOW = 120_000;
const { image } = phantomFile({ seed: 3, columns: 32, rows: 28, slices: 8 });

let root: string;
let scan: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sammix-streams-'));
  scan = path.join(root, 'one.nii');
  await writeFile(scan, image);
});
afterAll(() => rm(root, { recursive: true, force: true }));
const run = (out: string): string[] => {
  const options = ['--out', path.join(root, out), '--bundle', TINY_BUNDLE, '--threads', '1'];
  return [BIN, 'run', scan, ...options];
};

describe('whoever reads the output', () => {
  it(
    'may go before the end: what there is to do is done',
    async () => {
      const child = spawn(process.execPath, [...run('piped'), '--json'], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child.stdout.destroy();
      child.stderr.destroy();
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect(code).toBe(EXIT.ok);
      expect(existsSync(path.join(root, 'piped/summary.json'))).toBe(true);
    },
    SLOW,
  );

  it.skipIf(!existsSync('/dev/full'))(
    'may have a full disk: exit 4, in one line',
    () => {
      const full = openSync('/dev/full', 'w');
      const { status, stderr } = spawnSync(process.execPath, [BIN, 'check', scan], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      });
      expect(status).toBe(EXIT.storage);
      expect(stderr).toBe('sammix: the result could not be printed (ENOSPC)\n');
    },
    SLOW,
  );
});

/** util-linux's: gives a command a terminal, and passes on what it writes there. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util');
if (!hasScript) console.warn('SKIPPED: the command on a terminal; there is no util-linux script');

describe.skipIf(!hasScript)('on a terminal', () => {
  const written = (TERM: string, out: string): string => {
    const command = [process.execPath, ...run(out)].map((word) => `'${word}'`).join(' ');
    const env = { ...process.env, TERM };
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      env,
      encoding: 'utf8',
    });
    expect(stdout).toContain('done   one');
    return stdout;
  };

  it(
    'one line is redrawn, unless the terminal is dumb',
    () => {
      expect(written('xterm', 'xterm')).toContain('\x1b[2K');
      expect(written('dumb', 'dumb')).not.toContain('\x1b');
    },
    SLOW,
  );
});

describe('progress', () => {
  const on = (columns: number): string[] => {
    const written: string[] = [];
    const out = { columns, write: (text: string) => void written.push(text) };
    const progress = terminalProgress(out as unknown as NodeJS.WriteStream, () => 0);
    progress.begin('a-case-with-a-long-name', '[1/100]');
    for (let done = 1; done <= 300; done += 23) progress.update(done, 300);
    progress.update(300, 300);
    return written.join('').split('\r\x1b[2K');
  };

  it.each([10, 20, 80])('never wraps at %i columns', (columns) => {
    expect(Math.max(...on(columns).map((line) => line.length))).toBeLessThan(columns);
  });

  it('names cannot move the cursor, colour the terminal or ring', () => {
    expect(visible('a\x1b[31mb\x07\x9bc\r\u2028d\ne')).toBe(
      'a\\x1b[31mb\\x07\\x9bc\\x0d\\x2028d\ne',
    );
  });

  it(
    'nor do those of files that check prints',
    async () => {
      const folder = path.join(root, 'names');
      await mkdir(folder);
      await writeFile(path.join(folder, 'a\x1b[2Jb.nii'), image);
      const { stdout } = spawnSync(process.execPath, [BIN, 'check', folder], { encoding: 'utf8' });
      expect(stdout).toContain('a\\x1b[2Jb.nii');
      expect(stdout).not.toContain('\x1b');
    },
    SLOW,
  );
});

describe('exit codes', () => {
  it('are those that the documentation lists', async () => {
    const text = await readFile(path.resolve(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    const table = text.slice(text.indexOf('## Exit codes'));
    const listed = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(listed).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });

  it(
    '70: a defect of ours costs its case, the others are done',
    async () => {
      // Inflating is made to fail as no file can make it.
      const preload = path.join(root, 'defect.mjs');
      await writeFile(
        preload,
        `import zlib from 'node:zlib';
       import { syncBuiltinESMExports } from 'node:module';
       const value = () => { throw new TypeError('a defect'); };
       Object.defineProperty(zlib, 'createGunzip', { value });
       syncBuiltinESMExports();`,
      );
      const folder = path.join(root, 'defect');
      await mkdir(folder);
      await writeFile(path.join(folder, 'a.nii.gz'), Buffer.from([0x1f, 0x8b, 8, 0, ...Array(40)]));
      await writeFile(path.join(folder, 'b.nii'), image);
      const [bin, command, , ...options] = run('defect-out');
      const { status, stderr } = spawnSync(
        process.execPath,
        ['--import', preload, bin!, command!, folder, ...options],
        { encoding: 'utf8' },
      );
      expect(status, stderr).toBe(EXIT.defect);
      expect(stderr).toMatch(/FAILED a: [\s\S]*done {3}b: /);
      expect(stderr).toMatch(/a defect of sammix itself[\s\S]*TypeError: a defect/);
    },
    SLOW,
  );
});
