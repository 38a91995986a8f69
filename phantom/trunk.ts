import type { Anatomy } from './anatomy.ts';
import { type Canvas, Tissue } from './canvas.ts';
import { smoothMin } from './solids.ts';

/** Height of a vertebra with its disc, mm. */
const VERTEBRA_PITCH_MM = 34;
const DISC_MM = 8;
const CORTICAL_HU = 620;
const CANCELLOUS_HU = 190;
const CARTILAGE_HU = 105;
const CANAL_HU = 22;
const DISC_HU = 75;

interface Piece {
  readonly tissue: Tissue;
  readonly hu: number;
}

const bone = (depthMm: number, corticalMm: number, grain: number): Piece => ({
  tissue: Tissue.bone,
  hu: depthMm < corticalMm ? CORTICAL_HU : CANCELLOUS_HU + 40 * grain,
});

/**
 * Spine, back muscles and ribs at a point of the trunk, or undefined where there is none of them.
 *
 * @param intoWallMm depth below the inner face of the subcutaneous fat; ribs lie within the wall.
 */
function skeletonAt(
  anatomy: Anatomy,
  x: number,
  y: number,
  z: number,
  intoWallMm: number,
  grain: number,
): Piece | undefined {
  const sx = anatomy.scale.x;
  const spineY = anatomy.spineYMm - 5 * ((z + 110) / 110) ** 2;
  const ax = Math.abs(x);
  const back = y - spineY;
  if (ax < 84 * sx && back > -32 && intoWallMm > 0) {
    const piece =
      spineAt(anatomy, ax / sx, back, z, grain) ?? backMuscleAt(anatomy, ax / sx, back, z);
    if (piece !== undefined) return piece;
  }
  if (intoWallMm > 0.5 && intoWallMm < anatomy.body.wallMm) {
    return ribAt(anatomy, x, y, z, intoWallMm, grain);
  }
  return undefined;
}

function spineAt(
  anatomy: Anatomy,
  ax: number,
  back: number,
  z: number,
  grain: number,
): Piece | undefined {
  const phase =
    (((z + anatomy.spinePhaseMm) % VERTEBRA_PITCH_MM) + VERTEBRA_PITCH_MM) % VERTEBRA_PITCH_MM;
  const fromDisc = Math.min(phase, VERTEBRA_PITCH_MM - phase) - DISC_MM / 2;
  const waist = 1 - 0.06 * Math.min(1, Math.max(0, fromDisc / 8));
  const body = (1 - Math.sqrt((ax / (23 * waist)) ** 2 + (back / (17 * waist)) ** 2)) * 18;
  const canal = Math.sqrt((ax / 11) ** 2 + ((back - 25) / 8.5) ** 2);
  if (canal < 1) return { tissue: Tissue.muscle, hu: canal < 0.6 ? CANAL_HU + 14 : CANAL_HU };
  if (body > 0) {
    if (fromDisc < 0) return { tissue: Tissue.muscle, hu: DISC_HU };
    return bone(Math.min(body, fromDisc + 0.8), 2, grain);
  }
  const ring = 4.5 - Math.abs(Math.sqrt((ax / 15) ** 2 + ((back - 25) / 12.5) ** 2) - 1) * 13;
  const lamina = fromDisc > -1 ? ring : -1;
  const process = fromDisc > 1 ? 4 - Math.hypot(back - 24 - 0.12 * ax, 0) : -1;
  const transverse = ax > 12 && ax < 38 ? process : -1;
  const spinous = back > 34 && back < 58 && fromDisc > -2 ? 3.2 + (back - 34) * 0.06 - ax : -1;
  const depth = Math.max(lamina, transverse, spinous);
  return depth > 0 ? bone(depth, 1.8, grain) : undefined;
}

/** Erector spinae beside the spinous processes, psoas beside the lower vertebrae. */
function backMuscleAt(anatomy: Anatomy, ax: number, back: number, z: number): Piece | undefined {
  const erector = ((ax - 30) / 30) ** 2 + ((back - 42) / 19) ** 2;
  const psoasMm = Math.min(19, Math.max(0, (-115 - z) * 0.32 + 6));
  const psoas = psoasMm > 3 ? ((ax - 33) / psoasMm) ** 2 + ((back - 4) / (psoasMm * 1.15)) ** 2 : 2;
  const midline = back > 12 && ax < 30 ? 0 : 2;
  const quadratus = z < -95 ? ((ax - 58) / 20) ** 2 + ((back - 27) / 8) ** 2 : 2;
  const crus = z > -135 && z < -12 ? ((ax - 17) / 8) ** 2 + ((back + 20) / 13) ** 2 : 2;
  if (Math.min(erector, midline, psoas, quadratus, crus) < 1) {
    return { tissue: Tissue.muscle, hu: anatomy.hu.muscle };
  }
  return undefined;
}

/** Ribs run down and forward from the spine; past the flank they turn into cartilage and rise. */
function ribAt(
  anatomy: Anatomy,
  x: number,
  y: number,
  z: number,
  intoWallMm: number,
  grain: number,
): Piece | undefined {
  const aroundRad = Math.atan2(Math.abs(x), y);
  const sz = anatomy.scale.z;
  const bendRad = 2.2;
  const drop =
    (120 * Math.min(aroundRad, bendRad)) / bendRad - 90 * Math.max(0, aroundRad - bendRad);
  const order = (84 - drop - z / sz + anatomy.spinePhaseMm) / 27;
  const rib = Math.round(order);
  const endRad = rib <= 4 ? 2.75 : 2.6 - 0.34 * (rib - 4);
  if (aroundRad < 0.45 || aroundRad > endRad || rib < -1 || rib > 7) return undefined;
  const across = ((order - rib) * 27 * sz) / 7.5;
  const through = (intoWallMm - anatomy.body.wallMm * 0.55) / 4.2;
  const level = Math.sqrt(across * across + through * through);
  if (level >= 1) return undefined;
  if (aroundRad > bendRad) return { tissue: Tissue.bone, hu: CARTILAGE_HU };
  return bone((1 - level) * 4.2, 1.7, grain);
}

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
