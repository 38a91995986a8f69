import { describe, expect, it } from 'vitest';
import { metricValue } from '../../../core/contract/panel.ts';
import { boundingBox, unionBox } from '../../../core/mask/bounds.ts';
import { nearestDistancesMm } from '../../../core/metrics/edt.ts';
import { comparisonPanel } from '../../../core/metrics/panel.ts';
import { quantile } from '../../../core/metrics/quantile.ts';
import { edgeVoxels } from '../../../core/metrics/surface-points.ts';
import medpy from '../../golden/metrics/medpy.json' with { type: 'json' };
import golden from '../../golden/metrics/metrics.json' with { type: 'json' };
import { ruleMask, type Step, type Triple } from './rule-masks.ts';
import { expectClose } from './tolerance.ts';

interface Numbers {
  readonly dc: number;
  readonly jc: number;
  readonly hd: number;
  readonly hd95: number;
  readonly assd: number;
}

const numbers = medpy.cases as Readonly<Record<string, Numbers>>;
const cases = golden.cases.filter(({ name }) => name in numbers);

/**
 * medpy shares our definitions of Dice, IoU and the (MONAI) Hausdorff distance. Its HD95 and ASSD pool
 * the unweighted distances of both directions between edge voxels, which the panel does not offer:
 * these are made here from the panel's own distances, which so are held to a third library.
 */
describe('masks against medpy 0.5.2', () => {
  it.each(cases)('$name', ({ name, shape, spacing, prediction, label }) => {
    const [p, l] = [prediction, label].map((steps) =>
      ruleMask(
        shape as unknown as Triple,
        spacing as unknown as Triple,
        steps as unknown as Step[],
      ),
    ) as [ReturnType<typeof ruleMask>, ReturnType<typeof ruleMask>];
    const theirs = numbers[name]!;
    const panel = comparisonPanel(p, l);
    expectClose(metricValue(panel, 'dice'), theirs.dc, 'dc');
    expectClose(metricValue(panel, 'iou'), theirs.jc, 'jc');
    expectClose(metricValue(panel, 'monaiHdMm'), theirs.hd, 'hd');

    const box = unionBox(boundingBox(p), boundingBox(l))!;
    const [edgesP, edgesL] = [edgeVoxels(p, box), edgeVoxels(l, box)];
    const pooled = [
      ...nearestDistancesMm(edgesP, edgesL, l.grid.spacingMm),
      ...nearestDistancesMm(edgesL, edgesP, l.grid.spacingMm),
    ];
    expectClose(quantile(pooled, 0.95), theirs.hd95, 'hd95, pooled');
    const mean = pooled.reduce((sum, distance) => sum + distance, 0) / pooled.length;
    expectClose(mean, theirs.assd, 'assd, pooled');
    // Pooling can only hide the worse direction.
    expect(theirs.hd95).toBeLessThanOrEqual(metricValue(panel, 'monaiHd95Mm') + 1e-5);
  });
});
