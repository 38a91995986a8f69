// npm run sbom [-- DIR]: the bills of materials, CycloneDX JSON, one for npm and one for each Python lock file.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { licences, npmSbom, PYTHON_LOCKS, pythonPackages, ROOT } from './components.mjs';

const out = path.resolve(process.argv[2] ?? 'out/sbom');
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
const { python } = licences();

mkdirSync(out, { recursive: true });
write('sammix-npm', npmSbom());
for (const [name, lock] of Object.entries(PYTHON_LOCKS)) write(name, pythonSbom(name, lock));

function write(name, sbom) {
  const file = path.join(out, `${name}.cdx.json`);
  writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`);
  console.log(`${file}: ${sbom.components.length} components`);
}

/** The same lock file gives the same bill: its serial number is made of the file. */
function pythonSbom(name, lock) {
  const digest = createHash('sha256')
    .update(readFileSync(path.join(ROOT, lock)))
    .digest('hex');
  const [, ...parts] = /^(.{8})(.{4})(.{4})(.{4})(.{12})/.exec(digest);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${parts.join('-')}`,
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': name, name, version },
      properties: [{ name: 'sammix:lock-file', value: lock }],
    },
    components: pythonPackages(lock).map(component),
  };
}

function component({ name, version: of, sha256 }) {
  const purl = `pkg:pypi/${name}@${of}`;
  const expression = python[name];
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version: of,
    purl,
    ...(expression && { licenses: [{ expression }] }),
    // Of several files (one for each platform) any may have been taken; a single one is what is there.
    ...(sha256.length === 1 && { hashes: [{ alg: 'SHA-256', content: sha256[0] }] }),
  };
}
