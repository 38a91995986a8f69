import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SCHEMAS, schemaText } from '../../../gpu-jobs/train/write-request-schema.ts';

describe.each(Object.entries(SCHEMAS))('the JSON schema of %s', (_name, written) => {
  it('is what the contract says (npm run train-schema writes it)', () => {
    expect(readFileSync(written.file, 'utf8')).toBe(schemaText(written));
  });
});

describe('the JSON schema of a training request', () => {
  it('knows every key and allows no other', () => {
    const schema = JSON.parse(schemaText(SCHEMAS.request));
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toEqual(['schemaVersion', 'id', 'config']);
    expect(schema.properties.config.additionalProperties).toBe(false);
    expect(schema.properties.config.required).toBeUndefined();
  });
});
