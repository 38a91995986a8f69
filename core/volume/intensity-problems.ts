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
/** Of a scan; less than this above -1000 HU and there is only fill and air. */
const LEAST_FILLED = 0.001;
/** Of what is neither air nor lung, -200 to 200 HU: half at least in a CT, nothing with a lost offset. */
const LEAST_TISSUE = 0.1;
/** No metal is denser, even on an extended scale. */
const LARGEST_HU = 100_000;

export interface IntensityFacts {
  readonly report: HuReport;
  readonly geometry: Geometry;
  readonly nonFiniteVoxels: number;
  readonly beyondFloat32Voxels: number;
  readonly trailingBytes: number;
  /** The model's window; values that do not fill it were clipped before. */
  readonly windowHu?: readonly [number, number];
}

/** What the voxels tell, after all of them were read. Errors: `constant-image`, `not-hu`. */
export function intensityProblems(facts: IntensityFacts): Problem[] {
  const { report, trailingBytes } = facts;
  const nothing = facts.nonFiniteVoxels === voxelCount(facts.geometry.grid);
  const refusal = absurd(facts) ?? (nothing ? undefined : notHu(report));
  const found = refusal ? [refusal] : nothing ? [] : rangeProblems(facts);
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

/** Numbers that no CT holds: scaled twice, or by a damaged header. */
function absurd({ report, beyondFloat32Voxels }: IntensityFacts): Problem | undefined {
  const { min, max } = report.summary;
  const remedy = 'Check scl_slope and scl_inter, or convert the series anew.';
  if (beyondFloat32Voxels > 0)
    return error(
      'absurd-values',
      `${beyondFloat32Voxels} voxels are scaled beyond what a float32 holds`,
      remedy,
    );
  if (Math.max(Math.abs(min), Math.abs(max)) <= LARGEST_HU) return undefined;
  return error('absurd-values', `values run from ${min} to ${max}: no Hounsfield units`, remedy);
}

function notHu({ summary, shares, filledRange, peakHu }: HuReport): Problem | undefined {
  const { min, max } = summary;
  if (min === max) {
    return error('constant-image', `every voxel is ${min}`, 'Export the CT again.');
  }
  if (shares.above < LEAST_FILLED) {
    return error(
      'not-hu',
      `${((1 - shares.above) * 100).toFixed(1)} % of the voxels are -1000 or less: only air or fill`,
      'Give the CT itself.',
    );
  }
  const [p01, p99] = filledRange;
  const range = `values run from ${min} to ${max} (percentiles 1 and 99 of those above -1000: ${p01}, ${p99})`;
  if (p99 - p01 < LEAST_SPREAD_HU) {
    return error(
      'not-hu',
      `${range}: that is no CT in Hounsfield units but a mask or a normalised image`,
      'Give the CT itself, unscaled.',
    );
  }
  if (shares.belowWater >= LEAST_BELOW_WATER)
    return shares.tissue >= LEAST_TISSUE
      ? undefined
      : error(
          'not-hu',
          `most of what is neither air nor lung lies about ${peakHu}, where soft tissue is about 50 and fat about -100 HU`,
          "Set scl_slope and scl_inter to the series' RescaleSlope and RescaleIntercept (an offset of -1024 is the one most often lost).",
        );
  const hardlyAny = `hardly any voxel (${(shares.belowWater * 100).toFixed(2)} %) is below water`;
  if (p01 >= 0 && max > 1500 && p01 < 500) {
    return error(
      'not-hu',
      `${range} and ${hardlyAny}: MR, or CT whose offset (-1024) was lost`,
      'For CT, set scl_inter to the RescaleIntercept of the series; MR is not supported.',
    );
  }
  return error(
    'not-hu',
    `${range} and ${hardlyAny}: no fat and no air, so this is MR, an 8-bit picture or a windowed CT`,
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
