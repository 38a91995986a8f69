import { describe, expect, it } from 'vitest';
import {
  CasePanel,
  METRIC_DEFINITIONS,
  type MetricName,
  metricValue,
} from '../../../core/contract/panel.ts';
import { comparisonPanel } from '../../../core/metrics/panel.ts';
import { surfelAreasMm2 } from '../../../core/metrics/surface-points.ts';
import golden from '../../golden/metrics/metrics.json' with { type: 'json' };
import areas from '../../golden/metrics/surfel-areas.json' with { type: 'json' };
import { ruleMask, type Step, type Triple } from './rule-masks.ts';
import { expectClose } from './tolerance.ts';

interface GoldenCase {
  readonly name: string;
  readonly shape: Triple;
  readonly spacing: Triple;
  readonly prediction: readonly Step[];
  readonly label: readonly Step[];
  readonly expected: Readonly<Record<string, number | string | null>>;
}

const cases = golden.cases as unknown as readonly GoldenCase[];
const NAMES = Object.keys(METRIC_DEFINITIONS) as MetricName[];
const bothFilled = ({ expected }: GoldenCase): boolean =>
  expected.predictionVoxels !== 0 && expected.labelVoxels !== 0;

describe('panel against MONAI 1.6.1 and surface-distance 0.1', () => {
  it.each(cases.filter(bothFilled))('$name', ({ shape, spacing, prediction, label, expected }) => {
    const panel = comparisonPanel(
      ruleMask(shape, spacing, prediction),
      ruleMask(shape, spacing, label),
    );
    expect(panel.status).toBe('compared');
    expect(CasePanel.parse(JSON.parse(JSON.stringify(panel)))).toEqual(panel);
    for (const name of NAMES) {
      if (!(name in expected)) continue;
      expectClose(metricValue(panel, name), expected[name] as number, name);
    }
    expectClose(metricValue(panel, 'dice'), expected.monaiDice as number, 'monaiDice');
  });

  it.each(cases.filter((c) => !bothFilled(c)))('$name follows the house convention', (c) => {
    const panel = comparisonPanel(
      ruleMask(c.shape, c.spacing, c.prediction),
      ruleMask(c.shape, c.spacing, c.label),
    );
    const bothEmpty = c.prediction.length === 0 && c.label.length === 0;
    expect(panel.status).toBe(
      bothEmpty ? 'both-empty' : c.prediction.length === 0 ? 'missed' : 'spurious',
    );
    for (const name of ['dice', 'iou', 'nsd1Mm', 'nsd2Mm', 'nsd3Mm'] as const) {
      expect(metricValue(panel, name)).toBe(bothEmpty ? 1 : 0);
    }
    for (const name of NAMES.filter((n) => METRIC_DEFINITIONS[n].unit === 'mm')) {
      expect(metricValue(panel, name)).toBe(bothEmpty ? 0 : Number.POSITIVE_INFINITY);
    }
    expect(CasePanel.parse(JSON.parse(JSON.stringify(panel)))).toEqual(panel);
  });
});

describe('marching-cubes areas', () => {
  it.each(areas.cases)('equal surface-distance for all 256 codes at $spacing mm', (c) => {
    const [slice, row, column] = c.spacing as unknown as Triple;
    const ours = surfelAreasMm2({ slice, row, column });
    for (let code = 0; code < 256; code++) {
      expectClose(ours[code]!, c.areaMm2[code]!, `code ${code}`, 1e-12);
    }
  });
});
