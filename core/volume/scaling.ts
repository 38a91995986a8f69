import { InputError } from '../errors.ts';
import type { NiftiHeader } from './header.ts';

/** `value = raw * slope + inter`, rounded once to float32. */
export interface Scaling {
  readonly slope: number;
  readonly inter: number;
}

export const UNSCALED: Scaling = { slope: 1, inter: 0 };

/**
 * nibabel's rule: a slope of 0 or one that is not finite means that voxels are not scaled. Throws
 * `InputError`: `bad-scaling`.
 */
export function scalingOf({ sclSlope, sclInter }: NiftiHeader, subject: string): Scaling {
  if (sclSlope === 0 || !Number.isFinite(sclSlope)) return UNSCALED;
  if (Number.isFinite(sclInter)) return { slope: sclSlope, inter: sclInter };
  throw new InputError({
    code: 'bad-scaling',
    subject,
    expected: 'a finite scl_inter beside a scl_slope',
    found: `scl_slope ${sclSlope}, scl_inter ${sclInter}`,
    remedy: 'Convert the series anew.',
  });
}
