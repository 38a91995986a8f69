// What sammix is made of, from its lock files alone: no network, nothing installed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Lock files of Python, by what is made of them. */
export const PYTHON_LOCKS = {
  'sammix-train-image': 'gpu-jobs/train/requirements-image.lock',
  'sammix-infer-image-cuda': 'gpu-jobs/infer/cuda.txt',
  'sammix-train-development': 'gpu-jobs/train/requirements.lock',
  'sammix-emulator': 'test/e2e/emulator/requirements.lock',
};

/** The npm packages as npm itself lists them, CycloneDX 1.5. */
export function npmSbom() {
  const words = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const { status, stdout, stderr } = spawnSync('npm', words, { cwd: ROOT, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`npm sbom ended with ${status} (npm 10 or newer?): ${stderr}`);
  return JSON.parse(stdout.toString());
}

/** Names as PyPI compares them. */
const normal = (name) => name.toLowerCase().replace(/[-_.]+/g, '-');

/** Packages of a lock file: name, version, and the hashes of the files that may be taken for them. */
export function pythonPackages(file) {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  return text
    .replace(/^\s*#.*$/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => /^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)(.*)$/.exec(line.trim()))
    .filter((found) => found !== null)
    .map(([, name, version, rest]) => ({
      name: normal(name),
      version,
      sha256: [...rest.matchAll(/--hash=sha256:([0-9a-f]{64})/g)].map(([, hash]) => hash),
    }));
}

/** By name, SPDX expressions of Python packages, and which licences are allowed. */
export const licences = () =>
  JSON.parse(readFileSync(path.join(ROOT, 'supply/licences.json'), 'utf8'));
