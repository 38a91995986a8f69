import { describe, expect, it } from 'vitest';
import { HuSummary, InputGeometry, Problem } from '../../core/contract/manifest.ts';
import { describeGeometry } from '../../core/volume/geometry.ts';
import { preflight } from '../../core/volume/preflight.ts';
import { once } from '../support/case.ts';
import { corpus } from './malformed.ts';

const files = corpus();

describe(`${files.length} files as users bring them`, () => {
  it('are at least as many as the project promises, each by its own name', () => {
    expect(files.length).toBeGreaterThanOrEqual(80);
    expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
  });

  it.each(files)('$name: $expected', async ({ name, bytes, image, expected }) => {
    const result = await preflight(once(bytes), {
      subject: name,
      fileBytes: (image ?? bytes).byteLength,
      ...(image && { imageSource: once(image) }),
    });
    const [first] = result.problems.filter(({ severity }) => severity === 'error');
    expect(result.usable ? 'usable' : first?.code).toBe(expected);
    for (const problem of result.problems) {
      expect(Problem.parse(JSON.parse(JSON.stringify(problem)))).toEqual(problem);
      expect(problem.remedy.length).toBeGreaterThan(10);
    }
    // What is told of a file is numbers, whatever the file holds.
    if (result.intensity) {
      const { summary } = result.intensity;
      expect(HuSummary.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
    }
    if (result.usable && result.image) {
      const described = describeGeometry(result.image.header, result.image.geometry);
      expect(InputGeometry.parse(JSON.parse(JSON.stringify(described)))).toEqual(described);
    }
  });
});
