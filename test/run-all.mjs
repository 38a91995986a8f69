// `npm test`: every suite, TypeScript and Python. Prepares the Python environment of the trainer
// itself; where Python is missing it says what was not run, and fails in CI.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const train = path.join(root, 'gpu-jobs/train');
const venv = path.join(train, '.venv');
const data = path.resolve(root, process.env.SAMMIX_DATA ?? '../shared/data');
const windows = process.platform === 'win32';
const pythonOf = (folder) => path.join(folder, windows ? 'Scripts/python.exe' : 'bin/python');
const venvPython = pythonOf(venv);

function run(command, args, options = {}) {
  console.log(`\n> ${[path.basename(command), ...args].join(' ')}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) console.error(error.message);
  return status === 0;
}

function findPython() {
  const atLeast = 'import sys, venv; sys.exit(sys.version_info < (3, 11))';
  return ['python3', 'python'].find((name) => spawnSync(name, ['-c', atLeast]).status === 0);
}

/** Installs the locked requirements once; the stamp says for which lock the environment was made. */
function prepareVenv(python, folder, lock) {
  const stamp = path.join(folder, 'lock.sha256');
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true;
  const made =
    (existsSync(pythonOf(folder)) || run(python, ['-m', 'venv', folder])) &&
    run(pythonOf(folder), ['-m', 'pip', 'install', '--quiet', '-r', lock]);
  if (made) writeFileSync(stamp, wanted);
  return made;
}

function testTypeScript() {
  return run(process.execPath, [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run']);
}

function testPython() {
  const python = findPython();
  if (!python) {
    const message =
      'NOT RUN: the Python suite (gpu-jobs/train) needs Python 3.11 or newer with venv.';
    console.error(`\n${message}`);
    return !process.env.CI;
  }
  const env = {
    ...process.env,
    ...(existsSync(data) && { SAMMIX_DATA: data }),
    // Two-thread PyTorch spins itself to a halt on a busy machine unless its threads soon sleep.
    GOMP_SPINCOUNT: '10000',
    OMP_NUM_THREADS: '2',
  };
  return (
    prepareVenv(python, venv, path.join(train, 'requirements.lock')) &&
    run(venvPython, ['-m', 'ruff', 'check', '.'], { cwd: train, env }) &&
    run(venvPython, ['-m', 'ruff', 'format', '--check', '.'], { cwd: train, env }) &&
    run(venvPython, ['-m', 'pytest'], { cwd: train, env }) &&
    testMaskHeaders(env)
  );
}

const dicom = path.join(root, 'test/golden/dicom');
const dicomVenv = path.join(dicom, '.venv');

/** DICOM-SEG and RTSTRUCT that we made, read by highdicom and pydicom. */
function testDicomOut() {
  const python = findPython();
  if (!python) {
    console.error('\nNOT RUN: DICOM-SEG and RTSTRUCT as highdicom reads them need Python 3.11.');
    return !process.env.CI;
  }
  const made = prepareVenv(python, dicomVenv, path.join(dicom, 'requirements.txt'));
  const tests = ['test_out.py', 'test_round_trip.py'].map((file) => path.join(dicom, file));
  const out = mkdtempSync(path.join(tmpdir(), 'sammix-dicom-'));
  try {
    const script = path.join(dicom, 'write-out.ts');
    return (
      made &&
      run(process.execPath, ['--import', 'tsx', script, out]) &&
      run(pythonOf(dicomVenv), ['-m', 'pytest', '-q', ...tests], {
        env: { ...process.env, SAMMIX_DICOM_OUT: out },
      })
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Masks that our writer made, read by nibabel: every fixture, and real volumes where there are any. */
function testMaskHeaders(env) {
  const out = mkdtempSync(path.join(tmpdir(), 'sammix-masks-'));
  try {
    const script = path.join(root, 'test/golden/nifti/write-mask-pairs.ts');
    return (
      run(process.execPath, ['--import', 'tsx', script, out, ...realVolumes()]) &&
      run(venvPython, ['-m', 'pytest', '-q', path.join(root, 'test/golden/nifti')], {
        env: { ...env, SAMMIX_MASK_PAIRS: path.join(out, 'pairs.json') },
      })
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function realVolumes() {
  const folder = path.join(data, 'volumes');
  if (existsSync(folder))
    return readdirSync(folder)
      .filter((name) => name.endsWith('_ct.nii.gz'))
      .map((name) => path.join(folder, name));
  console.log(`\nSKIPPED: mask headers of real volumes; there are none in ${folder} (SAMMIX_DATA)`);
  return [];
}

const results = [testTypeScript(), testPython(), testDicomOut()];
process.exit(results.every(Boolean) ? 0 : 1);
