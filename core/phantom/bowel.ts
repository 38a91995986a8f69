import type { Random } from '../random.ts';
import type { Anatomy } from './anatomy.ts';
import { type Canvas, type PointMm, paintSolid, Tissue } from './canvas.ts';
import { ellipsoid, point, taperedRod } from './solids.ts';

const CAVITY = [Tissue.cavity] as const;
const GAS_HU = -900;

/** Large bowel as a frame, small bowel as wandering loops within it, duodenum beside the head. */
export function paintBowel(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  paintColon(canvas, anatomy, random);
  for (let loop = 0; loop < 18; loop += 1) paintSmallBowelLoop(canvas, anatomy, random);
  paintMesentery(canvas, anatomy, random);
}

function paintColon(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const course = [
    anatomy.at(-92, 8, -240),
    anatomy.at(-92, 2, -176),
    anatomy.at(-70, -48, -152),
    anatomy.at(0, -66, -156),
    anatomy.at(66, -56, -132),
    anatomy.at(100, 10, -104),
    anatomy.at(98, 26, -170),
    anatomy.at(90, 22, -240),
  ];
  for (let n = 1; n < course.length; n += 1) {
    const from = course[n - 1]!;
    const to = course[n]!;
    const lengthMm = Math.hypot(to.x - from.x, to.y - from.y, to.z - from.z);
    const haustra = Math.max(2, Math.round(lengthMm / 17));
    // A segment is empty, gassy or full as a whole.
    const gassy = random.next();
    for (let h = 0; h < haustra; h += 1) {
      const t = (h + 0.5) / haustra;
      const radius = random.uniform(16, 25) * (1 - 0.35 * random.next() * Number(gassy < 0.3));
      const centre = point(
        from.x + t * (to.x - from.x) + random.uniform(-3, 3),
        from.y + t * (to.y - from.y) + random.uniform(-3, 3),
        from.z + t * (to.z - from.z),
      );
      const gasLevelY = centre.y + radius * random.uniform(-0.9, gassy > 0.55 ? 0.9 : -0.2);
      paintHaustrum(canvas, anatomy, centre, radius, gasLevelY);
    }
  }
}

function paintHaustrum(
  canvas: Canvas,
  anatomy: Anatomy,
  centre: PointMm,
  radius: number,
  gasLevelY: number,
): void {
  const onto = [Tissue.cavity, Tissue.bowel] as const;
  const solid = ellipsoid(centre, point(radius, radius, radius * 0.95));
  paintSolid(canvas, solid, onto, Tissue.bowel, (index, distance, y) => {
    if (distance > -2.4)
      return canvas.tissue[index] === Tissue.bowel ? canvas.hu[index]! : anatomy.hu.muscle;
    if (y < gasLevelY) return GAS_HU;
    // Stool: mottled with gas.
    return 20 + anatomy.hu.oral * 0.4 - 160 * Math.max(0, canvas.grain[index]! - 0.5);
  });
}

function paintSmallBowelLoop(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  let at = anatomy.at(random.uniform(-78, 78), random.uniform(-58, 4), random.uniform(-245, -135));
  let heading = random.uniform(0, 2 * Math.PI);
  const radius = random.uniform(10, 15);
  const content = random.pick(['fluid', 'fluid', 'collapsed', 'gas']);
  for (let step = 0; step < 9; step += 1) {
    heading += random.uniform(-1.1, 1.1);
    const next = point(
      at.x + 17 * Math.cos(heading),
      at.y + 11 * Math.sin(heading),
      at.z + random.uniform(-9, 9),
    );
    const rod = taperedRod(at, next, radius, radius * random.uniform(0.9, 1.1));
    const gasLevelY = at.y - radius * 0.2;
    paintSolid(canvas, rod, CAVITY, Tissue.bowel, (index, distance, y) => {
      if (distance > -2.6 || content === 'collapsed') return anatomy.hu.liver * 0.75 + 5;
      if (content === 'gas' && y < gasLevelY) return GAS_HU;
      return anatomy.hu.oral + 8 + 6 * canvas.grain[index]!;
    });
    at = next;
  }
}

/** Thin vessels in the fat between the loops. */
function paintMesentery(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  for (let n = 0; n < 26; n += 1) {
    const root = anatomy.at(
      random.uniform(-14, 14),
      random.uniform(-14, 0),
      random.uniform(-215, -110),
    );
    const tip = point(
      root.x + random.uniform(-70, 70),
      root.y + random.uniform(-50, 8),
      root.z + random.uniform(-25, 10),
    );
    paintSolid(
      canvas,
      taperedRod(root, tip, 2.6, 1.4),
      CAVITY,
      Tissue.vessel,
      anatomy.hu.portalVein,
    );
  }
}
