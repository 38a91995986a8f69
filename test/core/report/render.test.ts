import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { renderCaseReport, renderFailureReport } from '../../../core/report/render.ts';
import { SIZE_PX, sampleFailure, samplePicture, sampleReport } from './sample.ts';

const VOID = new Set(['meta', 'input', 'br', 'img', 'link']);

/** Reads the page as HTML is tokenised and throws where a tag is not closed or closes another. */
function elementsOf(page: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  const text = page
    .replace(/<!doctype html>/i, '')
    .replace(/<style>[^<]*<\/style>|<!--\w+-->/g, '');
  for (const [tag] of text.matchAll(/<[^>]*>/g)) {
    const parts = /^<(\/?)([a-z][a-zA-Z0-9]*)((?:\s+[a-zA-Z:-]+(?:="[^"<>]*")?)*)\s*(\/?)>$/.exec(
      tag,
    );
    if (parts === null) throw new Error(`not a tag: ${tag.slice(0, 80)}`);
    const [, closing, name, , selfClosed] = parts;
    if (closing) {
      const last = open.pop();
      if (last !== name) throw new Error(`</${name}> closes <${last}>`);
    } else {
      seen.push(name!);
      if (!selfClosed && !VOID.has(name!)) open.push(name!);
    }
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join(' ')}`);
  return seen;
}

const pictures = [3, 5, 8].map((index) => samplePicture(index));
const HOSTILE = `"><script>alert(1)</script><img src=x onerror='x'>\u202e&amp;`;

describe('renderCaseReport', () => {
  const page = renderCaseReport(sampleReport(), pictures);

  it('is well-formed, with a figure for every picture and every curve', () => {
    const elements = elementsOf(page);
    expect(elements.filter((name) => name === 'figure').length).toBe(pictures.length + 3);
    expect(elements.filter((name) => name === 'h1').length).toBe(1);
  });

  it('needs nothing from outside: no script, no address but fragments, data and XML names', () => {
    expect(elementsOf(page)).not.toContain('script');
    const addresses = [...page.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(
      ([, value]) => value!,
    );
    expect(addresses.filter((value) => !/^(#|data:image\/png;base64,)/.test(value))).toEqual([]);
    expect(page).not.toMatch(/url\((?!#)/);
    expect(page).toContain('Content-Security-Policy');
  });

  it('carries the grey slice unchanged', () => {
    const [first] = [...page.matchAll(/data:image\/png;base64,([^"]+)/g)];
    const png = PNG.sync.read(Buffer.from(first![1]!, 'base64'));
    expect([png.width, png.height]).toEqual([SIZE_PX, SIZE_PX]);
    expect([...png.data].filter((_, n) => n % 4 === 0)).toEqual([...pictures[0]!.image]);
  });

  it('states volume, agreement with its definition, threshold, digest and the intended use', () => {
    for (const fact of [
      '475.5 ml',
      'Dice',
      'surface-distance 0.1',
      'threshold 0.3',
      'ab'.repeat(32),
      '0f'.repeat(32),
      'Research use only; not a medical device.',
    ]) {
      expect(page).toContain(fact);
    }
  });

  it('links flagged slices that are shown and only those', () => {
    expect(page).toContain('Slices 4–6.');
    const chosen = renderCaseReport(sampleReport(), [samplePicture(4), samplePicture(6)]);
    expect(chosen).toContain('Slices <a href="#slice-4">4</a>–<a href="#slice-6">6</a>.');
  });

  it('comes out the same every time', () => {
    expect(renderCaseReport(sampleReport(), pictures)).toBe(page);
  });

  it('shows hostile names as text', () => {
    const report = sampleReport();
    const hostile = renderCaseReport(
      sampleReport({
        caseId: HOSTILE,
        input: { ...report.input, name: HOSTILE },
        bundle: { ...report.bundle, name: HOSTILE, licences: [HOSTILE] },
        comparison: { ...report.comparison!, labelName: HOSTILE },
        flags: [{ code: 'input-warning', severity: 'review', message: HOSTILE, slices: [] }],
      }),
      pictures,
    );
    expect(elementsOf(hostile)).toEqual(expect.not.arrayContaining(['script', 'img']));
    expect(hostile).toContain('&quot;&gt;&lt;script&gt;');
    expect(hostile).not.toContain('\u202e');
  });

  it('has no label layer, no Dice and no HD95 where there is no label', () => {
    const unlabelled = pictures.map((picture) => ({ ...picture, label: null }));
    const plain = renderCaseReport(sampleReport({ comparison: null }), unlabelled);
    elementsOf(plain);
    expect(plain).not.toContain('id="show-label"');
    expect(plain).not.toMatch(/Dice|HD95/);
  });

  it('says why a label could not be used', () => {
    const { fault } = sampleFailure();
    const page = renderCaseReport(
      sampleReport({ comparison: null, comparisonFault: { ...fault, remedy: 'Resample it.' } }),
      pictures,
    );
    expect(page).toContain('could not be compared');
    expect(page).toContain('Resample it.');
  });

  it('shows infinite distances and says that the organ was missed', () => {
    const report = sampleReport();
    const { panel } = report.comparison!;
    const metrics = panel.metrics.map((metric) =>
      metric.unit === 'mm' ? { ...metric, value: 'inf' as const } : { ...metric, value: 0 },
    );
    const comparison = {
      ...report.comparison!,
      panel: { ...panel, status: 'missed' as const, metrics },
    };
    const page = renderCaseReport(sampleReport({ comparison, volumeMl: 0 }), pictures);
    expect(page).toContain('∞ mm');
    expect(page).toContain('Missed: the label shows the organ, the mask does not');
  });

  it('gives the areas of the final mask, not of what was drawn before the clean-up', () => {
    const [slice] = sampleReport().slices;
    // 120 voxels of 5 mm by 5 mm are 30 cm²; 400 were drawn.
    const page = renderCaseReport(
      sampleReport({
        slices: [{ ...slice!, maskVoxels: 400 }],
        voxelsPerSlice: [120],
        flags: [],
        comparison: null,
      }),
      [samplePicture(0)],
    );
    expect(page).toContain('30.0 cm²');
    expect(page).toContain('30 square centimetres');
    expect(page).not.toContain('100.0 cm²');
  });

  it('gives the interval of the bundle’s own validation where it states one, and says nothing else', () => {
    const { bundle } = sampleReport();
    const volumeLimits = { lowerPercent: -5, upperPercent: 10, dataset: 'CURVAS', scans: 20 };
    const page = renderCaseReport(sampleReport({ bundle: { ...bundle, volumeLimits } }), pictures);
    // 475.5 ml are at most 10 % too many and at least 5 % too few.
    expect(page).toMatch(
      /95 % of labels between 432 and 501 ml\s+\(20 scans of <bdi>CURVAS<\/bdi>\)/,
    );
    expect(renderCaseReport(sampleReport(), pictures)).not.toMatch(/validation:|95 % of labels/);
  });

  it('stands with a single slice in which nothing was found', () => {
    const [slice] = sampleReport().slices;
    const page = renderCaseReport(
      sampleReport({ slices: [slice!], flags: [], comparison: null, volumeMl: 0 }),
      [samplePicture(0)],
    );
    expect(elementsOf(page)).toContain('figure');
    expect(page).toContain('no slice has a mask');
  });
});

describe('renderFailureReport', () => {
  it('is well-formed and gives reason and remedy', () => {
    const page = renderFailureReport(sampleFailure());
    elementsOf(page);
    for (const fact of [
      'a whole gzip stream',
      'its end after 1000 bytes',
      'Copy the file again.',
    ]) {
      expect(page).toContain(fact);
    }
    expect(page).toContain('Research use only; not a medical device.');
  });

  it('lists all that the preflight found, not the reason alone', () => {
    const problem = (code: string, severity: 'error' | 'warning') => ({
      code,
      severity,
      message: `the message of ${code}`,
      remedy: `the remedy of ${code}`,
    });
    const problems = [problem('not-hu', 'error'), problem('thick-slices', 'warning')];
    const page = renderFailureReport(sampleFailure({ problems }));
    elementsOf(page);
    for (const { code, message, remedy } of problems)
      for (const text of [code, message, remedy]) expect(page).toContain(text);
  });

  it('shows a hostile file name as text', () => {
    const { fault } = sampleFailure();
    const page = renderFailureReport(
      sampleFailure({ inputName: HOSTILE, caseId: HOSTILE, fault: { ...fault, subject: HOSTILE } }),
    );
    expect(elementsOf(page)).not.toContain('script');
  });
});
