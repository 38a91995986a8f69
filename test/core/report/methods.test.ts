import { describe, expect, it } from 'vitest';
import { methodsText } from '../../../core/report/methods.ts';
import { sampleReport } from './sample.ts';

describe('methodsText', () => {
  it('names what ran, and its settings', () => {
    const report = sampleReport({ parameters: { largestComponent3d: true, fillHoles: true } });
    const text = methodsText(report);
    expect(text).toContain(`sammix ${report.provenance.sammixVersion}`);
    expect(text).toContain(report.bundle.digest);
    expect(text).toContain('largest 26-connected component was kept and cavities were filled');
    expect(text).toContain('not corrected by hand');
  });

  it('says nothing of what was not done', () => {
    const parameters = { largestComponent3d: false, fillHoles: false };
    const text = methodsText(sampleReport({ parameters, comparison: null, maskEdited: true }));
    expect(text).not.toMatch(/component|reference labels|not corrected/);
    expect(text).toContain('corrected by hand');
  });
});
