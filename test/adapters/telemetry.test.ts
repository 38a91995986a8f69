import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** All sockets that a process holds at one time or another. Its own pipes are files here. */
async function socketsOf(child: ChildProcess): Promise<Set<string>> {
  const sockets = new Set<string>();
  const folder = `/proc/${child.pid}/fd`;
  while (child.exitCode === null && child.signalCode === null) {
    for (const fd of await readdir(folder).catch(() => [])) {
      const target = await readlink(`${folder}/${fd}`).catch(() => '');
      if (target.startsWith('socket:')) sockets.add(target);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return sockets;
}

const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, args, { cwd: root, stdio: 'ignore' });

it.skipIf(process.platform !== 'linux')('a run opens no socket', async () => {
  const folder = await temporaryFolder();
  const scan = path.join(folder, 'scan.nii');
  await writeFile(scan, phantomFile({ seed: 1, columns: 48, rows: 40, slices: 16 }).image);
  const out = path.join(folder, 'out');
  const run = start('cli/bin.mjs', 'run', scan, '--out', out, '--bundle', TINY_BUNDLE);
  expect([...(await socketsOf(run))]).toEqual([]);
  expect(run.exitCode).toBe(0);
});

it.skipIf(process.platform !== 'linux')('one that does would be seen', async () => {
  const child = start(
    '-e',
    'require("net").createServer().listen(0); setTimeout(process.exit, 500)',
  );
  expect((await socketsOf(child)).size).toBeGreaterThan(0);
});

it('the switch is set before ONNX Runtime is loaded, in every entry that loads it', async () => {
  const { readFile } = await import('node:fs/promises');
  for (const file of ['adapters/ort.ts', 'adapters/onnx-thread.ts']) {
    const [first] = (await readFile(path.join(root, file), 'utf8')).split('\n');
    expect(first).toBe("import './telemetry-off.ts';");
  }
  const folders = ['adapters', 'cli', 'core', 'site', 'functions', 'gpu-jobs/infer'];
  for (const folder of folders)
    for (const name of await readdir(path.join(root, folder), { recursive: true })) {
      if (!name.endsWith('.ts')) continue;
      const text = await readFile(path.join(root, folder, name), 'utf8');
      // Types cost nothing; a value would load the library before the switch.
      expect(/^import (?!type)[^;]*'onnxruntime-node'/m.test(text), `${folder}/${name}`).toBe(
        false,
      );
    }
});
