// npm run licences [-- --list]: the licence of every package of every lock file, held to the list of those
// that are allowed (supply/licences.json). Part of `npm run check`.
import { licences, npmSbom, PYTHON_LOCKS, pythonPackages } from './components.mjs';

const { allowed, python } = licences();
const faults = [];
const found = new Map();

for (const { name, version, licenses = [] } of npmSbom().components)
  judge(
    `npm ${name}@${version}`,
    licenses.map(({ license, expression }) => expression ?? license.id ?? license.name),
  );
for (const lock of Object.values(PYTHON_LOCKS))
  for (const { name, version } of pythonPackages(lock))
    judge(`python ${name}==${version}`, name in python ? [python[name]] : []);

const image = pythonPackages('gpu-jobs/train/requirements-image.lock');
const known = new Map(
  pythonPackages('gpu-jobs/train/requirements.lock').map(({ name, version }) => [name, version]),
);
for (const { name, version, sha256 } of [...image, ...pythonPackages('gpu-jobs/infer/cuda.txt')]) {
  if (sha256.length === 0) faults.push(`${name}==${version}: an image installs it without a hash`);
}
// A lock file made by "pip freeze" leaves pip's own tools out.
for (const { name, version } of image)
  if (name !== 'setuptools' && known.get(name) !== version)
    faults.push(`${name}==${version}: the image's, requirements.lock has ${known.get(name)}`);

for (const [expression, packages] of [...found].sort((a, b) => b[1].size - a[1].size)) {
  console.log(`${String(packages.size).padStart(5)}  ${expression}`);
  if (process.argv.includes('--list')) for (const one of packages) console.log(`       ${one}`);
}
for (const fault of faults) console.error(fault);
process.exit(faults.length === 0 ? 0 : 1);

function judge(what, expressions) {
  const expression = expressions.join(' AND ') || 'none given';
  found.set(expression, (found.get(expression) ?? new Set()).add(what));
  if (expressions.length === 0)
    faults.push(`${what}: no licence is known; see supply/python-licences.py`);
  else if (!expressions.every(isAllowed)) faults.push(`${what}: ${expression} is not allowed`);
}

/** SPDX: of OR one side has to be allowed, of AND both. */
function isAllowed(expression) {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const either = () => {
    let value = both();
    while (tokens[at] === 'OR') {
      at += 1;
      value = both() || value;
    }
    return value;
  };
  const both = () => {
    let value = one();
    while (tokens[at] === 'AND') {
      at += 1;
      value = one() && value;
    }
    return value;
  };
  const one = () => {
    if (tokens[at] === '(') {
      at += 1;
      const value = either();
      at += 1;
      return value;
    }
    let name = tokens[at++] ?? '';
    if (tokens[at] === 'WITH') {
      name = `${name} WITH ${tokens[at + 1]}`;
      at += 2;
    }
    return allowed.includes(name);
  };
  return either() && at === tokens.length;
}
