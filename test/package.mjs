// Packs the command, installs it into an empty folder as a user would, and runs it there on every Node that
// it promises to run on. What it needs comes from a package registry and nowhere else.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';

const ROOT = path.join(import.meta.dirname, '..');
const TINY_BUNDLE = path.join(ROOT, 'test', 'golden', 'tiny-bundle');
const MAX_PACKAGE_MB = 30;
/** The oldest that is promised, and the newest of each that is kept alive. */
const NODES = ['20.19', '22', '24'];
const TOO_OLD = '18';

const call = promisify(execFile);
const npm = (cwd, ...args) => call('npm', args, { cwd, maxBuffer: 1 << 26 });

/** A Node of that version, or undefined where there is none for this machine. */
async function nodeOf(version, folder) {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{"private":true}');
  try {
    await npm(
      folder,
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `node-${platform}-${process.arch}@${version}`,
    );
  } catch (error) {
    console.log(
      `SKIPPED: the package on Node ${version}; it could not be installed (${error.message.split('\n')[0]})`,
    );
    return undefined;
  }
  return path.join(folder, 'node_modules', `node-${platform}-${process.arch}`, 'bin', 'node');
}

async function installPackage(folder) {
  await npm(ROOT, 'run', 'build');
  const { stdout } = await npm(ROOT, 'pack', '--json', '--pack-destination', folder);
  const [packed] = Object.values(JSON.parse(stdout));
  const { filename, size, files } = packed;
  assert.ok(size < MAX_PACKAGE_MB * 1e6, `the package has ${(size / 1e6).toFixed(1)} MB`);
  const strangers = files
    .map((file) => file.path)
    .filter((file) => /^(test|core|infra|bench)\//.test(file));
  assert.deepEqual(strangers, [], 'the package holds sources or tests');
  const app = path.join(folder, 'app');
  await mkdir(app);
  await writeFile(path.join(app, 'package.json'), '{"private":true}');
  await npm(
    app,
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    path.join(folder, filename),
  );
  return { bin: path.join(app, 'node_modules', 'sammix', 'cli', 'bin.mjs'), size };
}

/** The first case of `sammix run`, with the small bundle; returns the digest of the mask's voxels. */
async function segment(node, bin, folder) {
  const cwd = path.join(folder, 'elsewhere');
  await mkdir(cwd, { recursive: true });
  const sammix = (...args) => call(node, [bin, ...args], { cwd });
  const { stdout: version, stderr } = await sammix('--version');
  assert.equal(stderr, '', 'a warning comes before our own words');
  assert.match(version, /^\d+\.\d+\.\d+/);
  await sammix('phantom', '--out', 'in');
  const run = await sammix(
    'run',
    'in',
    '--label',
    'in/labelsTr',
    '--out',
    'out',
    '--bundle',
    TINY_BUNDLE,
    '--threads',
    '2',
    '--json',
  );
  const summary = JSON.parse(run.stdout);
  assert.equal(summary.segmented, 1, run.stderr);
  assert.ok(summary.meanDice > 0.5, `Dice ${summary.meanDice}`);
  for (const file of ['mask.nii.gz', 'report.html', 'overlay.png'])
    assert.ok((await stat(path.join(cwd, 'out', 'phantom_0001', file))).size > 0);
  await viewed(node, bin, cwd);
  await refusesToTrain(node, bin, cwd);
  const mask = gunzipSync(await readFile(path.join(cwd, 'out', 'phantom_0001', 'mask.nii.gz')));
  await rm(cwd, { recursive: true });
  return createHash('sha256').update(mask).digest('hex');
}

/** The trainer's sources are in the package, and the command knows before any Python is asked what cannot work. */
async function refusesToTrain(node, bin, cwd) {
  const trainer = path.join(path.dirname(bin), '..', 'gpu-jobs', 'train');
  for (const file of ['requirements-fit.txt', 'requirements.lock', 'sammix_train/fit/command.py'])
    assert.ok((await stat(path.join(trainer, file))).size > 0, file);
  const args = ['train', 'in', '--target', 'liver+lesion', '--out', 'own', '--python', 'nowhere'];
  const refused = await call(node, [bin, ...args], { cwd }).catch((error) => error);
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /labels of at least 2 patients/);
}

/** The page was built into the package: it is served without sources and without esbuild. */
async function viewed(node, bin, cwd) {
  const child = spawn(node, [bin, 'view', 'out', '--json'], { cwd });
  try {
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += chunk;
      if (printed.endsWith('}\n')) break;
    }
    const { url } = JSON.parse(printed);
    const page = await (await fetch(url)).text();
    assert.match(page, /<canvas/);
  } finally {
    child.kill('SIGINT');
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'sammix-package-'));
try {
  const { bin, size } = await installPackage(folder);
  console.log(`package: ${(size / 1e6).toFixed(1)} MB, installed with ONNX Runtime alone`);
  const digests = new Map();
  for (const version of NODES) {
    const node = await nodeOf(version, path.join(folder, `node-${version}`));
    if (!node || !existsSync(node)) continue;
    digests.set(version, await segment(node, bin, folder));
    console.log(`package: Node ${version} segments the synthetic scan and shows it`);
  }
  assert.equal(
    new Set(digests.values()).size,
    Math.min(1, digests.size),
    'masks differ between versions of Node',
  );
  const old = await nodeOf(TOO_OLD, path.join(folder, `node-${TOO_OLD}`));
  if (old) {
    const refused = await call(old, [bin, '--help']).catch((error) => error);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^sammix needs Node 20\.19 or newer[^\n]*\n$/);
  }
  console.log(
    `package: passed on Node ${[...digests.keys()].join(', ')}; Node ${TOO_OLD} gets one sentence`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
