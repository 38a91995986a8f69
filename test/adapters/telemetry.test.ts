import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const root = path.resolve(import.meta.dirname, '../..');

const TABLES = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'];

/** Inodes of the network's sockets; those between a process and its children are none of them. */
async function networkInodes(pid: number | undefined): Promise<Set<string>> {
  const tables = await Promise.all(
    TABLES.map((table) => readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '')),
  );
  const lines = tables.flatMap((table) => table.split('\n').slice(1));
  return new Set(lines.map((line) => line.trim().split(/\s+/)[9] ?? ''));
}

/** All network sockets that a process holds at one time or another. */
async function socketsOf(child: ChildProcess): Promise<Set<string>> {
  const sockets = new Set<string>();
  const folder = `/proc/${child.pid}/fd`;
  while (child.exitCode === null && child.signalCode === null) {
    const links = await Promise.all(
      (await readdir(folder).catch(() => [])).map((fd) =>
        readlink(`${folder}/${fd}`).catch(() => ''),
      ),
    );
    const inodes = await networkInodes(child.pid);
    for (const link of links) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(link) ?? [];
      if (inode !== undefined && inodes.has(inode)) sockets.add(inode);
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

/** Notes what native code sees of the switch when the thread that loads ONNX Runtime is begun. */
const NOTING = `
  import { appendFileSync } from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  import threads from 'node:worker_threads';
  threads.Worker = class extends threads.Worker {
    constructor(file, ...more) {
      const { ORT_DISABLE_TELEMETRY } = process.report.getReport().environmentVariables;
      if (/onnx-worker/.test(String(file)))
        appendFileSync(process.env.NOTED, String(ORT_DISABLE_TELEMETRY) + '\\n');
      super(file, ...more);
    }
  };
  syncBuiltinESMExports();`;

it('ONNX Runtime finds its telemetry switched off in the environment of the process', async () => {
  const folder = await temporaryFolder();
  const [scan, preload, noted] = ['scan.nii', 'noting.mjs', 'noted'].map((name) =>
    path.join(folder, name),
  ) as [string, string, string];
  await writeFile(scan, phantomFile({ seed: 1, columns: 48, rows: 40, slices: 16 }).image);
  await writeFile(preload, NOTING);
  const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env;
  const args = ['--import', preload, 'cli/bin.mjs', 'run', scan, '--out', path.join(folder, 'out')];
  const run = spawn(process.execPath, [...args, '--bundle', TINY_BUNDLE], {
    cwd: root,
    stdio: 'ignore',
    env: { ...env, NOTED: noted },
  });
  expect(await new Promise((resolve) => run.once('close', resolve))).toBe(0);
  const seen = (await readFile(noted, 'utf8')).trim().split('\n');
  expect(new Set(seen)).toEqual(new Set(['1']));
});

it('the switch is set before ONNX Runtime is loaded, in every entry that loads it', async () => {
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
