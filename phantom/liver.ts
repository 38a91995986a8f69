import type { Random } from '../core/random.ts';
import type { Anatomy } from './anatomy.ts';
import { type Canvas, paintSolid, type Solid, Tissue, visitSolid } from './canvas.ts';
import { ellipsoid, moulded, point, taperedRod } from './solids.ts';

/** The liver's outline before the diaphragm and the body wall cut it to shape. */
function liverSolid(anatomy: Anatomy): Solid {
  const { at, liverSize: s, leftLobeReach: reach, rightLobeDrop: drop, scale } = anatomy;
  const radii = (x: number, y: number, z: number) =>
    point(x * s * scale.x, y * s * scale.y, z * s * scale.z);
  const lobes = [
    ellipsoid(at(-68, -2, -70), radii(80, 84, 80)),
    ellipsoid(at(-92, 10, -112 - drop), radii(42, 54, 52)),
    ellipsoid(at(-18, -42, -56), radii(52, 42, 48)),
    ellipsoid(at(34 * reach, -52, -40), radii(24 + 36 * reach, 32, 28), -0.12),
    ellipsoid(at(-24, 10, -60), radii(20, 20, 28)),
  ];
  const carved = [
    // Porta hepatis and the visceral face.
    ellipsoid(at(6, 22, -128), radii(66, 62, 60)),
    // The stomach's bed behind the left lobe.
    ellipsoid(at(66, 14, -52), radii(64, 48, 62), 0.35),
    // Bed of the right kidney.
    ellipsoid(at(-58, 52, -132), radii(38, 38, 58)),
    // Fissure of the round ligament between the left segments.
    ellipsoid(at(4, -62, -92), radii(4, 30, 30), 0.25),
    // Fissure of the venous ligament in front of the caudate lobe.
    ellipsoid(at(2, -4, -62), radii(24, 3.5, 34), -0.5),
  ];
  // The bare area ends beside the spine.
  carved.push(taperedRod(at(0, 52, 20), at(0, 52, -180), 40 * scale.x, 40 * scale.x));
  return moulded(lobes, carved, 18, 7);
}

/** Paints the parenchyma into the cavity and keeps a thin, uneven layer of fat around it. */
export function paintLiver(canvas: Canvas, anatomy: Anatomy): void {
  const { liver } = anatomy.hu;
  visitSolid(
    canvas,
    liverSolid(anatomy),
    [Tissue.cavity],
    (index, distance) => {
      const grain = canvas.grain[index]!;
      const surface = distance + 1.2 * grain;
      if (surface < 0) {
        canvas.tissue[index] = Tissue.liver;
        canvas.hu[index] = liver + 2.5 * grain;
      } else if (surface < 1.5 + 1.5 * grain) {
        canvas.tissue[index] = Tissue.capsuleFat;
      }
    },
    6,
  );
}

interface Branch {
  readonly from: readonly [number, number, number];
  readonly to: readonly [number, number, number];
  readonly radiusMm: number;
}

const PORTAL: readonly Branch[] = [
  { from: [-14, 4, -84], to: [-34, -2, -76], radiusMm: 6 },
  { from: [-34, -2, -76], to: [-66, 6, -74], radiusMm: 5 },
  { from: [-66, 6, -74], to: [-92, -26, -66], radiusMm: 3.6 },
  { from: [-66, 6, -74], to: [-98, 30, -82], radiusMm: 3.6 },
  { from: [-34, -2, -76], to: [-6, -36, -62], radiusMm: 4.4 },
  { from: [-6, -36, -62], to: [26, -54, -46], radiusMm: 3.2 },
];

const HEPATIC: readonly Branch[] = [
  { from: [-20, 18, -22], to: [-60, 14, -38], radiusMm: 5 },
  { from: [-60, 14, -38], to: [-104, 2, -66], radiusMm: 3.4 },
  { from: [-20, 18, -22], to: [-42, -18, -38], radiusMm: 4.6 },
  { from: [-42, -18, -38], to: [-62, -56, -72], radiusMm: 3.2 },
  { from: [-20, 18, -22], to: [0, -24, -32], radiusMm: 4.4 },
  { from: [0, -24, -32], to: [24, -52, -42], radiusMm: 3 },
];

/** Trunks with jittered ends, and twigs that leave each of them; all stay inside the parenchyma. */
export function paintLiverVessels(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const tree = (branches: readonly Branch[], hu: number): void => {
    const shift = () => random.uniform(-5, 5);
    for (const { from, to, radiusMm } of branches) {
      const start = anatomy.at(...from);
      const end = anatomy.at(to[0] + shift(), to[1] + shift(), to[2] + shift());
      const paint = (solid: Solid) => paintSolid(canvas, solid, [Tissue.liver], Tissue.liver, hu);
      paint(taperedRod(start, end, radiusMm, radiusMm * 0.7));
      for (let twig = 0; twig < 4; twig += 1) {
        const t = random.uniform(0.3, 1);
        const root = point(
          start.x + t * (end.x - start.x),
          start.y + t * (end.y - start.y),
          start.z + t * (end.z - start.z),
        );
        const tip = point(
          root.x + random.uniform(-32, 32),
          root.y + random.uniform(-32, 32),
          root.z + random.uniform(-26, 26),
        );
        paint(taperedRod(root, tip, radiusMm * 0.55, 1));
      }
    }
  };
  tree(PORTAL, anatomy.hu.portalVein);
  tree(HEPATIC, anatomy.hu.hepaticVein);
}

/** Hypo-dense metastases, some with a darker core, and water-like cysts. */
export function paintLesions(canvas: Canvas, anatomy: Anatomy, random: Random): void {
  const inside: number[] = [];
  for (let index = 0; index < canvas.tissue.length; index += 1) {
    if (canvas.tissue[index] === Tissue.liver) inside.push(index);
  }
  if (inside.length === 0) return;
  for (let n = 0; n < anatomy.lesions; n += 1) {
    const radius = 5 + 20 * random.next() ** 2;
    const solid = ellipsoid(
      centreOf(canvas, inside[random.integer(0, inside.length - 1)]!),
      point(
        radius * random.uniform(0.8, 1.2),
        radius * random.uniform(0.8, 1.2),
        radius * random.uniform(0.8, 1.2),
      ),
      random.uniform(0, Math.PI),
    );
    const cyst = random.next() < 0.25;
    const hu = cyst ? random.uniform(4, 16) : anatomy.hu.liver - random.uniform(22, 48);
    const necrosis = !cyst && random.next() < 0.4 ? random.uniform(12, 25) : 0;
    paintSolid(
      canvas,
      solid,
      [Tissue.liver, Tissue.lesion],
      Tissue.lesion,
      (index, distance) =>
        hu - (distance < -0.45 * radius ? necrosis : 0) + 2 * canvas.grain[index]!,
    );
  }
}

function centreOf(canvas: Canvas, index: number) {
  const { grid, originMm, warpMm } = canvas;
  const plane = grid.columns * grid.rows;
  return point(
    originMm.x + (index % grid.columns) * grid.spacingMm.column + warpMm.x[index]!,
    originMm.y + Math.floor((index % plane) / grid.columns) * grid.spacingMm.row + warpMm.y[index]!,
    originMm.z + Math.floor(index / plane) * grid.spacingMm.slice + warpMm.z[index]!,
  );
}

const CAVITY_FAT_HU = -98;

/** Carving and neighbours can cut crumbs off: keeps the largest face-connected piece. */
export function dropLiverIslands(canvas: Canvas): void {
  const { columns, rows } = canvas.grid;
  const steps = [1, -1, columns, -columns, columns * rows, -columns * rows];
  const piece = new Int32Array(canvas.tissue.length);
  const sizes = [0];
  for (let seed = 0; seed < piece.length; seed += 1) {
    if (canvas.tissue[seed] !== Tissue.liver || piece[seed] !== 0) continue;
    const id = sizes.length;
    const stack = [seed];
    piece[seed] = id;
    let size = 0;
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      size += 1;
      for (const step of steps) {
        // A step may wrap around a row's end, which matters only where the scan crops the liver.
        const next = index + step;
        if (canvas.tissue[next] !== Tissue.liver || piece[next] !== 0) continue;
        piece[next] = id;
        stack.push(next);
      }
    }
    sizes.push(size);
  }
  const largest = sizes.indexOf(Math.max(...sizes));
  for (let index = 0; index < piece.length; index += 1) {
    if (piece[index] === 0 || piece[index] === largest) continue;
    canvas.tissue[index] = Tissue.cavity;
    canvas.hu[index] = CAVITY_FAT_HU;
  }
}
