import type { Random } from '../core/random.ts';
import type { PointMm } from './canvas.ts';
import { point } from './solids.ts';

/** Mean Hounsfield units of one contrast phase. */
export interface PhaseHu {
  readonly phase: 'native' | 'arterial' | 'portal' | 'delayed';
  readonly liver: number;
  readonly portalVein: number;
  readonly hepaticVein: number;
  readonly aorta: number;
  readonly cava: number;
  readonly spleen: number;
  readonly kidneyCortex: number;
  readonly kidneyMedulla: number;
  readonly muscle: number;
  /** Stomach and bowel content: water, or swallowed contrast. */
  readonly oral: number;
}

/** One person: sizes in mm, angles in rad, factors around 1. */
export interface Anatomy {
  readonly body: {
    readonly halfWidthMm: number;
    readonly halfDepthMm: number;
    /** Exponent of the superellipse |x/a|^n + |y/b|^n = 1: 2 is an ellipse, more is boxier. */
    readonly exponent: number;
    readonly fatMm: number;
    readonly wallMm: number;
  };
  /** Factors from the reference trunk (150 x 105 mm half-axes) to this one, fat aside. */
  readonly scale: PointMm;
  readonly spineYMm: number;
  readonly spinePhaseMm: number;
  readonly liverSize: number;
  readonly leftLobeReach: number;
  readonly rightLobeDrop: number;
  readonly lesions: number;
  readonly hu: PhaseHu;
  /** Places a reference point in this body. */
  at(x: number, y: number, z: number): PointMm;
}

function drawPhase(random: Random): PhaseHu {
  const phase = random.pick<PhaseHu['phase']>([
    'native',
    'arterial',
    'portal',
    'portal',
    'portal',
    'delayed',
  ]);
  const oral = random.next() < 0.3 ? random.uniform(120, 260) : random.uniform(0, 30);
  const muscle = random.uniform(48, 62);
  const kidneyLag = random.uniform(10, 60);
  switch (phase) {
    case 'native': {
      const liver = random.uniform(55, 66);
      const blood = random.uniform(36, 46);
      return {
        phase,
        liver,
        portalVein: blood,
        hepaticVein: blood,
        aorta: blood,
        cava: blood,
        spleen: liver - random.uniform(4, 12),
        kidneyCortex: 34,
        kidneyMedulla: 30,
        muscle,
        oral,
      };
    }
    case 'arterial': {
      const liver = random.uniform(62, 82);
      const cortex = random.uniform(150, 200);
      return {
        phase,
        liver,
        portalVein: liver + random.uniform(0, 40),
        hepaticVein: liver - random.uniform(6, 16),
        aorta: random.uniform(240, 340),
        cava: random.uniform(60, 110),
        spleen: liver + random.uniform(30, 60),
        kidneyCortex: cortex,
        kidneyMedulla: cortex - kidneyLag - 40,
        muscle,
        oral,
      };
    }
    default: {
      const late = phase === 'delayed';
      const liver = late ? random.uniform(80, 100) : random.uniform(92, 120);
      const blood = liver + (late ? random.uniform(6, 22) : random.uniform(28, 60));
      const cortex = late ? random.uniform(140, 170) : random.uniform(160, 210);
      return {
        phase,
        liver,
        portalVein: blood,
        hepaticVein: blood - random.uniform(0, 14),
        aorta: blood + random.uniform(-8, 16),
        cava: blood - random.uniform(2, 26),
        spleen: liver + random.uniform(4, 22),
        kidneyCortex: cortex,
        kidneyMedulla: cortex - (late ? 8 : kidneyLag),
        muscle: muscle + 6,
        oral,
      };
    }
  }
}

/** Draws one person and one scan; the ranges are those of adults, not of any population. */
export function drawAnatomy(random: Random): Anatomy {
  const build = random.next();
  const fatMm = 8 + 26 * build * random.uniform(0.6, 1);
  const scale = point(
    random.uniform(0.93, 1.07) + 0.06 * (build - 0.5),
    random.uniform(0.93, 1.07) + 0.1 * (build - 0.5),
    random.uniform(0.93, 1.06),
  );
  return {
    body: {
      halfWidthMm: 132 * scale.x + fatMm,
      halfDepthMm: 94 * scale.y + fatMm * 0.75,
      exponent: random.uniform(2.15, 2.6),
      fatMm,
      wallMm: random.uniform(9, 14),
    },
    scale,
    spineYMm: random.uniform(44, 50) * scale.y,
    spinePhaseMm: random.uniform(0, 34),
    liverSize: random.uniform(0.92, 1.06),
    leftLobeReach: random.uniform(0.6, 1.15),
    rightLobeDrop: random.uniform(-12, 18),
    lesions: random.integer(1, 6),
    hu: drawPhase(random),
    at: (x, y, z) => point(x * scale.x, y * scale.y, z * scale.z),
  };
}
