import type { Anatomy } from './anatomy.ts';
import { type Canvas, Tissue } from './canvas.ts';
import { skeletonAt } from './skeleton.ts';
import { smoothMin } from './solids.ts';

const LUNG_HU = -850;
const FAT_HU = -105;
const CAVITY_FAT_HU = -98;
const SKIN_HU = 15;
const SKIN_MM = 1.8;

/**
 * Height in mm of the diaphragm above point (x, y), where `rim` is 0 in the middle of the cavity
 * and 1 at its wall. Two domes, the right one higher; a costophrenic recess that is deepest behind.
 */
function diaphragmZMm(anatomy: Anatomy, x: number, y: number, rim: number): number {
  const { scale } = anatomy;
  const left = 1 / (1 + Math.exp(-x / (16 * scale.x)));
  const behind = Math.min(1, Math.max(0, (y / scale.y + 70) / 130));
  const recess = (46 + 66 * behind) * scale.z;
  const dome = -14 * left;
  const fall = Math.max(0, (rim - 0.42) / 0.58);
  const centralTendon = 16 / (1 + (x / (24 * scale.x)) ** 2);
  return dome - recess * fall * fall - centralTendon;
}

/** Paints everything that is no abdominal organ: air, table, skin, fat, wall, bones, lungs. */
export function paintTrunk(canvas: Canvas, anatomy: Anatomy): void {
  const { grid, originMm, warpMm } = canvas;
  const { column, row, slice } = grid.spacingMm;
  let index = 0;
  for (let k = 0; k < grid.slices; k += 1) {
    const z = originMm.z + k * slice;
    for (let j = 0; j < grid.rows; j += 1) {
      const y = originMm.y + j * row;
      for (let i = 0; i < grid.columns; i += 1) {
        const x = originMm.x + i * column;
        const tissue = paintTrunkVoxel(
          canvas,
          anatomy,
          index,
          x + warpMm.x[index]!,
          y + warpMm.y[index]!,
          z + warpMm.z[index]!,
        );
        if (tissue === Tissue.air) paintTable(canvas, anatomy, index, x, y);
        index += 1;
      }
    }
  }
}

function set(canvas: Canvas, index: number, tissue: Tissue, hu: number): Tissue {
  canvas.tissue[index] = tissue;
  canvas.hu[index] = hu;
  return tissue;
}

function paintTrunkVoxel(
  canvas: Canvas,
  anatomy: Anatomy,
  index: number,
  x: number,
  y: number,
  z: number,
): Tissue {
  const { halfWidthMm, halfDepthMm, exponent, fatMm, wallMm } = anatomy.body;
  const waist = 1 - 0.05 / (1 + ((z + 130) / 50) ** 2);
  const across = Math.abs(x / (halfWidthMm * waist));
  const deep = Math.abs(y / halfDepthMm);
  if (across >= 1 || deep >= 1) return set(canvas, index, Tissue.air, -1000);
  const sum = across ** exponent + deep ** exponent;
  if (sum >= 1) return set(canvas, index, Tissue.air, -1000);
  const level = sum ** (1 / exponent);
  const radius = Math.sqrt(x * x + y * y) || 1e-6;
  const reach = level > 1e-6 ? radius / level : halfDepthMm;
  const grain = canvas.grain[index]!;
  const depth = reach - radius;
  if (depth < SKIN_MM) return set(canvas, index, Tissue.skin, SKIN_HU);
  // Thickest on the belly and the flanks, thin over the back.
  const fat = fatMm * (0.82 - (0.34 * y) / radius) + 0.6 * grain;
  const bone = skeletonAt(anatomy, x, y, z, depth - fat, grain);
  if (bone !== undefined) return set(canvas, index, bone.tissue, bone.hu);
  if (depth < fat) return set(canvas, index, Tissue.subcutaneousFat, FAT_HU + 3 * grain);
  const intoWall = depth - fat;
  if (intoWall < wallMm) {
    // The muscle sheets of the flank are parted by thin fat planes.
    const seam = Math.abs(((intoWall / wallMm) * 3 + 0.12 * grain) % 1) < 0.1 && intoWall > 3;
    const hu = seam ? anatomy.hu.muscle - 60 : anatomy.hu.muscle + 4 * grain;
    return set(canvas, index, Tissue.muscle, hu);
  }
  const rim = radius / Math.max(1, reach - fat - wallMm);
  const aboveDiaphragm = z - diaphragmZMm(anatomy, x, y, rim);
  if (aboveDiaphragm > 0) {
    // Lung markings: denser strands where the grain is high.
    return set(canvas, index, Tissue.lung, LUNG_HU + (grain > 1.5 ? 420 : 25 * grain));
  }
  if (aboveDiaphragm > -2.2) return set(canvas, index, Tissue.muscle, anatomy.hu.muscle);
  return set(canvas, index, Tissue.cavity, CAVITY_FAT_HU + 4 * grain);
}

/** A shallow carbon-fibre trough with a light core just behind the back. */
function paintTable(canvas: Canvas, anatomy: Anatomy, index: number, x: number, y: number): void {
  const top = anatomy.body.halfDepthMm + 5 - x * x * 0.0006;
  const inTable = y - top;
  const halfWidth = 165;
  if (Math.abs(x) > halfWidth || inTable < 0 || inTable > 20) return;
  const shell = smoothMin(inTable, smoothMin(20 - inTable, halfWidth - Math.abs(x), 1), 1) < 4;
  set(canvas, index, Tissue.table, shell ? 140 : -880);
}
