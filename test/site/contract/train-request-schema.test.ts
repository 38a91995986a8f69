import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requestSchema, SCHEMA_FILE } from '../../../gpu-jobs/train/write-request-schema.ts';

describe('the JSON schema of a training request', () => {
  it('is what the contract says (npm run train-schema writes it)', () => {
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(requestSchema());
  });

  it('knows every key and allows no other', () => {
    const schema = JSON.parse(requestSchema());
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toEqual(['schemaVersion', 'id', 'dataPrefix', 'config']);
    expect(schema.properties.config.additionalProperties).toBe(false);
    expect(schema.properties.config.required).toBeUndefined();
  });
});
