import type { Random } from '../core/random.ts';
import type { Anatomy } from './anatomy.ts';
import { type Canvas, type PointMm, paintSolid, type Solid, Tissue } from './canvas.ts';
import { ellipsoid, moulded, point, taperedRod } from './solids.ts';

const CAVITY = [Tissue.cavity] as const;
const GAS_HU = -900;

/** Large bowel as a frame, small bowel as wandering loops within it, duodenum beside the head. */
function paintBowel(canvas: Canvas, anatomy: Anatomy, random: Random): void {
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

const CAVITY_AND_FAT = [Tissue.cavity, Tissue.capsuleFat] as const;

/** Everything in the cavity but the liver, in the order in which one organ yields to the next. */
export function paintViscera(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  paintHeart(canvas, anatomy);
  paintGreatVessels(canvas, anatomy);
  paintGallbladder(canvas, anatomy, random);
  paintKidneys(canvas, anatomy, random);
  paintSpleen(canvas, anatomy, random);
  paintStomach(canvas, anatomy, random);
  paintPancreas(canvas, anatomy, random);
  paintBowel(canvas, anatomy, random);
}

const scaled = (anatomy: Anatomy, x: number, y: number, z: number) =>
  point(x * anatomy.scale.x, y * anatomy.scale.y, z * anatomy.scale.z);

function paintHeart(canvas: Canvas, anatomy: Anatomy): void {
  const onto = [Tissue.lung, Tissue.muscle, Tissue.cavity] as const;
  const fat = ellipsoid(anatomy.at(18, -44, 34), scaled(anatomy, 62, 46, 46), 0.5);
  paintSolid(canvas, fat, [Tissue.lung], Tissue.heart, -90);
  const { aorta, muscle } = anatomy.hu;
  const heart = ellipsoid(anatomy.at(18, -44, 38), scaled(anatomy, 54, 39, 40), 0.5);
  paintSolid(canvas, heart, [...onto, Tissue.heart], Tissue.heart, (_, distance) =>
    distance < -11 ? aorta * 0.9 + 5 : muscle + 0.3 * aorta,
  );
}

function paintGreatVessels(canvas: Canvas, anatomy: Anatomy): void {
  const through = [
    Tissue.cavity,
    Tissue.capsuleFat,
    Tissue.lung,
    Tissue.muscle,
    Tissue.liver,
    Tissue.heart,
  ] as const;
  const { at, hu, spineYMm } = anatomy;
  const front = spineYMm / anatomy.scale.y - 27;
  const rods: readonly (readonly [Solid, number])[] = [
    [taperedRod(at(10, front, 60), at(5, front - 3, -260), 11.5, 8.5), hu.aorta],
    [taperedRod(at(-20, front + 2, -12), at(-17, front, -260), 12, 10), hu.cava],
    [taperedRod(at(-8, front - 18, -118), at(-24, front - 22, -82), 6.5, 6.5), hu.portalVein],
    [taperedRod(at(-8, front - 18, -118), at(62, front + 4, -84), 5, 3.5), hu.portalVein],
    [taperedRod(at(-4, front - 20, -118), at(-2, front - 26, -220), 5, 3.5), hu.portalVein],
    [taperedRod(at(6, front - 10, -112), at(3, front - 20, -215), 4, 2.5), hu.aorta],
  ];
  for (const [rod, value] of rods) paintSolid(canvas, rod, through, Tissue.vessel, value);
}

function paintGallbladder(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const size = random.uniform(0.6, 1.15);
  const sac = ellipsoid(
    anatomy.at(-44, -46, -112),
    scaled(anatomy, 14 * size, 23 * size, 22 * size),
    random.uniform(-0.6, 0.2),
  );
  const bile = random.uniform(2, 14);
  const wall = [Tissue.cavity, Tissue.capsuleFat, Tissue.liver] as const;
  paintSolid(canvas, sac, wall, Tissue.gallbladder, (_, distance) =>
    distance > -1.6 ? bile + 35 : bile,
  );
}

function paintKidneys(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  for (const side of [-1, 1] as const) {
    const centre = anatomy.at(
      side * random.uniform(54, 62),
      random.uniform(38, 46),
      side < 0 ? random.uniform(-142, -132) : random.uniform(-128, -112),
    );
    const size = random.uniform(0.92, 1.08);
    const tilt = side * 0.6;
    const outer = ellipsoid(centre, scaled(anatomy, 29 * size, 24 * size, 54 * size), tilt);
    const sinusCentre = point(centre.x - side * 12, centre.y - 9, centre.z);
    const sinus = ellipsoid(sinusCentre, scaled(anatomy, 17, 9, 28), tilt);
    const kidney = moulded([outer], [sinus], 6);
    const { kidneyCortex, kidneyMedulla } = anatomy.hu;
    paintSolid(canvas, kidney, CAVITY_AND_FAT, Tissue.kidney, (index, distance) =>
      distance > -7 - 1.5 * canvas.grain[index]! ? kidneyCortex : kidneyMedulla,
    );
    const pelvis = ellipsoid(sinusCentre, scaled(anatomy, 9, 5, 12), tilt);
    paintSolid(canvas, pelvis, CAVITY, Tissue.kidney, 12);
    // Renal vein and artery towards the great vessels.
    const hilum = anatomy.at(side * 12, 14, -116);
    paintSolid(
      canvas,
      taperedRod(hilum, sinusCentre, 4, 3.5),
      CAVITY,
      Tissue.vessel,
      anatomy.hu.cava,
    );
  }
}

function paintSpleen(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const size = random.uniform(0.85, 1.15);
  const body = ellipsoid(
    anatomy.at(98, 28, -62),
    scaled(anatomy, 44 * size, 60 * size, 56 * size),
    -0.25,
  );
  const bed = ellipsoid(anatomy.at(58, 2, -58), scaled(anatomy, 40, 50, 70), -0.2);
  const spleen = moulded([body], [bed], 10);
  // An early arterial spleen is striped like a zebra: sinuses fill at different speed.
  const stripes = anatomy.hu.phase === 'arterial' ? 22 : 2;
  paintSolid(
    canvas,
    spleen,
    CAVITY,
    Tissue.spleen,
    (index) => anatomy.hu.spleen + stripes * canvas.grain[index]!,
  );
}

function paintStomach(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const fill = random.uniform(0.75, 1.1);
  const stomach = moulded(
    [
      ellipsoid(anatomy.at(62, 4, -44), scaled(anatomy, 36 * fill, 42 * fill, 40)),
      ellipsoid(anatomy.at(54, -34, -78), scaled(anatomy, 34 * fill, 30 * fill, 34)),
      ellipsoid(anatomy.at(12, -44, -106), scaled(anatomy, 40, 17 * fill, 17)),
    ],
    [],
    20,
  );
  const airLevelY = anatomy.at(0, random.uniform(-62, -8), 0).y;
  const rugae = random.uniform(3, 5.5);
  const { oral, muscle } = anatomy.hu;
  paintSolid(canvas, stomach, CAVITY_AND_FAT, Tissue.stomach, (index, distance, y) => {
    if (distance > -rugae - canvas.grain[index]!) return muscle + 12;
    // Gas lies in front, food and water behind, parted by a level surface.
    return y < airLevelY ? -960 : oral + 14 * Math.max(0, canvas.grain[index]!);
  });
}

function paintPancreas(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const lift = random.uniform(-8, 8);
  const gland = moulded(
    [
      ellipsoid(anatomy.at(-26, -8, -122 + lift), scaled(anatomy, 17, 16, 24)),
      ellipsoid(anatomy.at(6, -18, -108 + lift), scaled(anatomy, 28, 10, 12), 0.3),
      ellipsoid(anatomy.at(46, -2, -96 + lift), scaled(anatomy, 34, 10, 12), 0.5),
    ],
    [],
    8,
  );
  const hu = anatomy.hu.liver * 0.85;
  paintSolid(canvas, gland, CAVITY, Tissue.pancreas, (index) =>
    // Fat between the lobules.
    canvas.grain[index]! > 1.1 ? -20 : hu + 5 * canvas.grain[index]!,
  );
}
