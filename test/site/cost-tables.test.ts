import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEPLOY_MD, withTables } from '../../site/cost/write-tables.ts';

describe('docs/deploy.md', () => {
  it('has the tables that the code computes ("npm run cost-tables")', () => {
    const text = readFileSync(DEPLOY_MD, 'utf8');
    expect(text).toContain('<!-- cost: end -->');
    expect(withTables(text)).toBe(text);
  });
});
