import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { QualityFlag } from '../../../core/contract/report.ts';

it('docs/report.md says of every flag when it is raised and what to do', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../../docs/report.md'), 'utf8');
  const [, section] = text.split('## Quality flags');
  const rows = section!
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1));
  const codes = rows.flatMap(([flag]) => [...flag!.matchAll(/`([^`]+)`/g)].map(([, code]) => code));
  expect(codes.toSorted()).toEqual(QualityFlag.shape.code.options.toSorted());
  for (const cells of rows) {
    expect(cells).toHaveLength(3);
    for (const cell of cells) expect(cell.trim()).not.toBe('');
  }
});
