import type { TargetMeasures } from '../contract/measures.ts';
import type { LiverToSpleen } from '../contract/targets.ts';
import { isSameName } from '../dataset/class-names.ts';

/**
 * Liver against spleen in Hounsfield units: mean over mean, and their difference, of both organs
 * without their outermost voxels, where the edge mixes in. Fat in the liver lowers both on unenhanced
 * CT; contrast brightens the spleen first, so that they say nothing of a scan with contrast (Kodama
 * 2007; Park 2006). Those read regions of interest drawn by hand: whole organs hold vessels and lesions
 * as well.
 *
 * @returns undefined where one of them was not measured, is too small to erode, or the spleen's mean is not above 0 HU:
 *   a ratio has no meaning then
 */
export function liverToSpleen(measures: readonly TargetMeasures[]): LiverToSpleen | undefined {
  const meanOf = (organ: string): number | undefined =>
    measures.find(({ target }) => isSameName(target, organ))?.eroded?.meanHu;
  const [liverMeanHu, spleenMeanHu] = [meanOf('liver'), meanOf('spleen')];
  if (liverMeanHu === undefined || spleenMeanHu === undefined || spleenMeanHu <= 0)
    return undefined;
  return {
    liverMeanHu,
    spleenMeanHu,
    ratio: liverMeanHu / spleenMeanHu,
    differenceHu: liverMeanHu - spleenMeanHu,
  };
}
