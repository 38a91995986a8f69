import { describe, expect, it } from 'vitest';
import { assertSegment, runId, runKeys } from '../../../core/contract/keys.ts';

describe('case names', () => {
  it.each(['', '..', 'a/b', '.x', 'a b', 'x'.repeat(129)])('refuses %j as a name', (name) => {
    expect(() => assertSegment(name, 'the dataset')).toThrow(/the dataset: expected letters/);
  });
});

describe('keys', () => {
  it('sort slabs in numeric order', () => {
    const keys = runKeys('cases/d/c/r');
    const slabs = [0, 9, 10, 11, 100, 9999].map((index) => keys.slab(index));
    expect([...slabs].sort()).toEqual(slabs);
    expect(slabs.every((key) => key.startsWith(keys.work))).toBe(true);
  });
});

describe('run id', () => {
  const input = { name: 'a.nii', version: 'sha256:1' };
  const parameters = { largestComponent3d: true, fillHoles: true };
  const id = runId(input, 'bundle', parameters);

  it('is stable: stored runs must be found by later versions', () => {
    expect(id).toBe('ed35fc54bbf11ef6');
  });

  it.each([
    ['input', runId({ ...input, version: 'sha256:2' }, 'bundle', parameters)],
    ['name', runId({ ...input, name: 'b.nii' }, 'bundle', parameters)],
    ['bundle', runId(input, 'other', parameters)],
    ['parameters', runId(input, 'bundle', { ...parameters, fillHoles: false })],
  ])('changes with the %s', (_, other) => {
    expect(other).toMatch(/^[0-9a-f]{16}$/);
    expect(other).not.toBe(id);
  });
});
