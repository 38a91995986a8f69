// npm run audit: known vulnerabilities of what is shipped, high and critical ones fail. Where a registry does not
// answer audits, that is said and nothing fails: a check that needs the network must not decide what the code is.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PYTHON_LOCKS, ROOT } from './components.mjs';

const SHIPPED = ['sammix-train-image', 'sammix-infer-image-cuda'].map((name) => PYTHON_LOCKS[name]);
const results = [auditNpm(), ...SHIPPED.map(auditPython)];
process.exit(results.includes(false) ? 1 : 0);

function auditNpm() {
  const words = [
    'audit',
    '--json',
    '--audit-level=high',
    '--fetch-retries=1',
    '--fetch-timeout=30000',
  ];
  const { stdout } = spawnSync('npm', words, { cwd: ROOT, maxBuffer: 2 ** 28, encoding: 'utf8' });
  const answer = parsed(stdout);
  const counts = answer?.metadata?.vulnerabilities;
  if (!counts) return skipped('npm', answer?.message ?? 'no answer');
  console.log(`npm: ${JSON.stringify(counts)}`);
  if (counts.high + counts.critical === 0) return true;
  for (const { name, severity, range } of Object.values(answer.vulnerabilities))
    if (severity === 'high' || severity === 'critical')
      console.error(`  ${severity} ${name} ${range}`);
  return false;
}

/** pip-audit in an environment of its own; it tells no severities, so whatever it finds fails. */
function auditPython(lock) {
  const venv = path.join(ROOT, 'node_modules/.cache/sammix-audit');
  const python = path.join(venv, 'bin/python');
  const made =
    existsSync(path.join(venv, 'bin/pip-audit')) ||
    (spawnSync('python3', ['-m', 'venv', venv]).status === 0 &&
      spawnSync(python, ['-m', 'pip', 'install', '-q', 'pip-audit==2.10.1'], { timeout: 300_000 })
        .status === 0);
  if (!made) return skipped(lock, 'pip-audit could not be installed');
  const words = [
    '-m',
    'pip_audit',
    '--no-deps',
    '--disable-pip',
    '--format',
    'json',
    '-r',
    path.join(ROOT, lock),
  ];
  const { stdout } = spawnSync(python, words, {
    maxBuffer: 2 ** 28,
    encoding: 'utf8',
    timeout: 300_000,
  });
  const packages = parsed(stdout)?.dependencies;
  if (!packages) return skipped(lock, 'no answer');
  const asked = packages.filter((one) => one.skip_reason === undefined);
  if (asked.length < packages.length / 2)
    return skipped(lock, packages.find((one) => one.skip_reason)?.skip_reason);
  const found = asked.filter(({ vulns }) => vulns.length > 0);
  console.log(`${lock}: ${asked.length} packages, ${found.length} with known vulnerabilities`);
  for (const { name, version, vulns } of found)
    console.error(`  ${name}==${version}: ${vulns.map(({ id }) => id).join(', ')}`);
  return found.length === 0;
}

function skipped(what, why) {
  console.log(`SKIPPED: the audit of ${what}; the registry does not answer it (${why}).`);
  return undefined;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
