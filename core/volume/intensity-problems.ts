import type { Problem } from '../contract/manifest.ts';
import type { Geometry } from './geometry.ts';
import { voxelCount } from './grid.ts';
import type { HuReport } from './histogram.ts';
import { error, warning } from './problem.ts';

/**
 * Below this spread between percentiles 1 and 99 an image is a mask or was normalised: the contrast
 * of fat to muscle alone is 150 HU.
 */
const LEAST_SPREAD_HU = 100;
const LEAST_BELOW_WATER = 0.002;
const LEAST_SOFT_TISSUE = 0.005;

export interface IntensityFacts {
  readonly report: HuReport;
  readonly geometry: Geometry;
  readonly nonFiniteVoxels: number;
  readonly trailingBytes: number;
  /** The model's window; values that do not fill it were clipped before. */
  readonly windowHu?: readonly [number, number];
}

/** What the voxels tell, after all of them were read. Errors: `constant-image`, `not-hu`. */
export function intensityProblems(facts: IntensityFacts): Problem[] {
  const { report, trailingBytes } = facts;
  const refusal = notHu(report);
  const found = refusal === undefined ? rangeProblems(facts) : [refusal];
  found.push(...nonFiniteProblems(facts));
  if (report.repeatedSlices.length > 0) {
    found.push(
      warning(
        'repeated-slices',
        `${report.repeatedSlices.length} slice(s) repeat their neighbour: ${shortList(report.repeatedSlices)}`,
        'Check the conversion: a slice exported twice shifts all that follow.',
      ),
    );
  }
  if (trailingBytes > 0) {
    found.push(
      warning(
        'trailing-bytes',
        `${trailingBytes} bytes follow the last voxel`,
        'Check that the header belongs to this file.',
      ),
    );
  }
  return found;
}

const shortList = (slices: readonly number[]): string =>
  slices.length > 8 ? `${slices.slice(0, 8).join(', ')}, ...` : slices.join(', ');

function notHu({ summary, shares }: HuReport): Problem | undefined {
  const { min, max, p01, p99 } = summary;
  if (min === max) {
    return error('constant-image', `every voxel is ${min}`, 'Export the CT again.');
  }
  const range = `values run from ${min} to ${max} (percentiles 1 and 99: ${p01}, ${p99})`;
  if (p99 - p01 < LEAST_SPREAD_HU) {
    return error(
      'not-hu',
      `${range}: that is no CT in Hounsfield units but a mask or a normalised image`,
      'Give the CT itself, unscaled.',
    );
  }
  if (shares.belowWater >= LEAST_BELOW_WATER) return undefined;
  if (min >= 0 && max > 1500 && p01 < 500) {
    return error(
      'not-hu',
      `${range} and none is below water: MR, or CT whose offset (-1024) was lost`,
      'For CT, set scl_inter to the RescaleIntercept of the series; MR is not supported.',
    );
  }
  return error(
    'not-hu',
    `${range} and none is below water: no fat and no air, so this is MR, an 8-bit picture or a windowed CT`,
    'Give the CT in Hounsfield units (air -1000, water 0).',
  );
}

function rangeProblems({ report, windowHu = [-160, 240] }: IntensityFacts): Problem[] {
  const { summary, shares } = report;
  const found: Problem[] = [];
  if (summary.min > windowHu[0] || summary.max < windowHu[1]) {
    found.push(
      warning(
        'clipped-range',
        `values run from ${summary.min} to ${summary.max} only; the model looks at ${windowHu[0]} to ${windowHu[1]} HU`,
        'Give the CT before windowing.',
      ),
    );
  }
  if (shares.softTissue < LEAST_SOFT_TISSUE) {
    found.push(
      warning(
        'no-soft-tissue',
        `only ${(shares.softTissue * 100).toFixed(1)} % of the voxels lie between 20 and 120 HU`,
        'Check that this is a CT of the abdomen in Hounsfield units.',
      ),
    );
  }
  return found;
}

function nonFiniteProblems({ nonFiniteVoxels, geometry }: IntensityFacts): Problem[] {
  if (nonFiniteVoxels === 0) return [];
  const share = nonFiniteVoxels / voxelCount(geometry.grid);
  const message = `${nonFiniteVoxels} voxels (${(share * 100).toFixed(2)} %) are NaN or infinite and were read as air`;
  const remedy = 'Export the CT again as signed 16-bit integers.';
  return [
    share > 0.5
      ? error('not-finite', message, remedy)
      : warning('non-finite-voxels', message, remedy),
  ];
}
