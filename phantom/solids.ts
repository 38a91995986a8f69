import type { PointMm, Solid } from './canvas.ts';

export const point = (x: number, y: number, z: number): PointMm => ({ x, y, z });

const extent = (center: PointMm, rx: number, ry: number, rz: number) => ({
  min: point(center.x - rx, center.y - ry, center.z - rz),
  max: point(center.x + rx, center.y + ry, center.z + rz),
});

/**
 * An ellipsoid with semi-axes `radiiMm`, turned by `tiltRad` about the z axis. The distance is the
 * first-order estimate |f| / |grad f|: exact on the surface, good near it.
 */
export function ellipsoid(center: PointMm, radiiMm: PointMm, tiltRad = 0): Solid {
  const cos = Math.cos(tiltRad);
  const sin = Math.sin(tiltRad);
  const { x: rx, y: ry, z: rz } = radiiMm;
  const wide = tiltRad === 0 ? rx : Math.max(rx, ry);
  const deep = tiltRad === 0 ? ry : Math.max(rx, ry);
  return {
    ...extent(center, wide, deep, rz),
    distanceMm(x, y, z) {
      const dx = x - center.x;
      const dy = y - center.y;
      const a = (dx * cos + dy * sin) / rx;
      const b = (dy * cos - dx * sin) / ry;
      const c = (z - center.z) / rz;
      const level = Math.sqrt(a * a + b * b + c * c);
      const gradient = Math.sqrt((a * a) / (rx * rx) + (b * b) / (ry * ry) + (c * c) / (rz * rz));
      return gradient === 0 ? -Math.min(rx, ry, rz) : (level * (level - 1)) / gradient;
    },
  };
}

/** A rod with round ends whose radius runs from `startMm` at `from` to `endMm` at `to`. */
export function taperedRod(from: PointMm, to: PointMm, startMm: number, endMm: number): Solid {
  const vx = to.x - from.x;
  const vy = to.y - from.y;
  const vz = to.z - from.z;
  const lengthSquared = vx * vx + vy * vy + vz * vz || 1;
  const radius = Math.max(startMm, endMm);
  return {
    min: point(
      Math.min(from.x, to.x) - radius,
      Math.min(from.y, to.y) - radius,
      Math.min(from.z, to.z) - radius,
    ),
    max: point(
      Math.max(from.x, to.x) + radius,
      Math.max(from.y, to.y) + radius,
      Math.max(from.z, to.z) + radius,
    ),
    distanceMm(x, y, z) {
      const dx = x - from.x;
      const dy = y - from.y;
      const dz = z - from.z;
      const t = Math.min(1, Math.max(0, (dx * vx + dy * vy + dz * vz) / lengthSquared));
      const ex = dx - t * vx;
      const ey = dy - t * vy;
      const ez = dz - t * vz;
      return Math.sqrt(ex * ex + ey * ey + ez * ez) - (startMm + t * (endMm - startMm));
    },
  };
}

/** The smaller of two distances, rounded over `blendMm` where they are nearly equal. */
export function smoothMin(a: number, b: number, blendMm: number): number {
  const overlap = Math.max(0, blendMm - Math.abs(a - b)) / blendMm;
  return Math.min(a, b) - (overlap * overlap * blendMm) / 4;
}

const smoothMax = (a: number, b: number, blendMm: number): number => -smoothMin(-a, -b, blendMm);

const enclosing = (solids: readonly Solid[]) => ({
  min: point(
    Math.min(...solids.map((s) => s.min.x)),
    Math.min(...solids.map((s) => s.min.y)),
    Math.min(...solids.map((s) => s.min.z)),
  ),
  max: point(
    Math.max(...solids.map((s) => s.max.x)),
    Math.max(...solids.map((s) => s.max.y)),
    Math.max(...solids.map((s) => s.max.z)),
  ),
});

/** Union of lobes whose seams are filleted over `blendMm`, minus the carved solids. */
export function moulded(
  lobes: readonly Solid[],
  carved: readonly Solid[],
  blendMm: number,
  carveBlendMm = blendMm / 2,
): Solid {
  const box = enclosing(lobes);
  return {
    min: point(box.min.x - blendMm, box.min.y - blendMm, box.min.z - blendMm),
    max: point(box.max.x + blendMm, box.max.y + blendMm, box.max.z + blendMm),
    distanceMm(x, y, z) {
      let distance = Number.POSITIVE_INFINITY;
      for (const lobe of lobes) distance = smoothMin(distance, lobe.distanceMm(x, y, z), blendMm);
      for (const hole of carved) {
        distance = smoothMax(distance, -hole.distanceMm(x, y, z), carveBlendMm);
      }
      return distance;
    },
  };
}
