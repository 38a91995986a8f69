import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maskMesh, type SurfaceMesh, signedVolume } from '../../../core/mask/mesh.ts';
import { objFile, stlFile } from '../../../core/mask/mesh-files.ts';
import type { Affine } from '../../../core/volume/affine.ts';

const grid = {
  columns: 5,
  rows: 5,
  slices: 4,
  spacingMm: { column: 0.8, row: 0.8, slice: 2 },
};
const affine: Affine = [
  [-0.8, 0, 0, 100],
  [0, -0.8, 0, 50],
  [0, 0, 2, -20],
  [0, 0, 0, 1],
];

/** Each edge in two triangles, once in each direction: no hole, no fin, one side out everywhere. */
function expectClosed({ triangles }: SurfaceMesh): void {
  const edges = new Set<string>();
  let twice = 0;
  for (let n = 0; n < triangles.length; n++) {
    const edge = `${triangles[n]} ${triangles[n % 3 === 2 ? n - 2 : n + 1]}`;
    if (edges.has(edge)) twice += 1;
    edges.add(edge);
  }
  const open = [...edges].filter((edge) => !edges.has(edge.split(' ').reverse().join(' ')));
  expect({ twice, open: open.length }).toEqual({ twice: 0, open: 0 });
}

it('any mask becomes a closed surface of its own volume', () => {
  const voxels = fc.array(fc.integer({ min: 0, max: 1 }), {
    minLength: 100,
    maxLength: 100,
  });
  fc.assert(
    fc.property(voxels, (set) => {
      const data = Uint8Array.from(set);
      const mesh = maskMesh({ grid, data }, affine);
      const count = set.filter((value) => value === 1).length;
      if (count === 0) return expect(mesh).toBeUndefined();
      expectClosed(mesh!);
      expect(signedVolume(mesh!)).toBeCloseTo(count * 0.8 * 0.8 * 2, 6);
    }),
    { numRuns: 60 },
  );
});

it('a ball is smooth, lies where its voxels lie, and is written as STL and OBJ', () => {
  const size = { columns: 41, rows: 41, slices: 21, spacingMm: { column: 1, row: 1, slice: 2 } };
  const data = Uint8Array.from({ length: 41 * 41 * 21 }, (_, at) => {
    const [i, j, k] = [at % 41, Math.floor(at / 41) % 41, Math.floor(at / 1681)];
    return Math.hypot(i - 20, j - 20, (k - 10) * 2) < 15 ? 1 : 0;
  });
  const placed: Affine = [
    [-1, 0, 0, 20],
    [0, -1, 0, 20],
    [0, 0, 2, -20],
    [0, 0, 0, 1],
  ];
  const mesh = maskMesh({ grid: size, data }, placed)!;
  const radii = Array.from({ length: mesh.positions.length / 3 }, (_, n) =>
    Math.hypot(...mesh.positions.subarray(3 * n, 3 * n + 3)),
  );
  // Voxels are up to 2 mm; the surface keeps within half of one.
  expect(Math.min(...radii)).toBeGreaterThan(13.9);
  expect(Math.max(...radii)).toBeLessThan(16.1);
  const stl = stlFile(mesh, 'ball');
  expect(stl.byteLength).toBe(84 + (50 * mesh.triangles.length) / 3);
  expect(new DataView(stl.buffer).getUint32(80, true)).toBe(mesh.triangles.length / 3);
  expect(signedVolume(readObj(objFile(mesh, 'ball')))).toBeCloseTo(signedVolume(mesh), 0);
});

function readObj(bytes: Uint8Array): SurfaceMesh {
  const lines = new TextDecoder().decode(bytes).split('\n');
  const numbers = (letter: string): number[] =>
    lines
      .filter((line) => line.startsWith(`${letter} `))
      .flatMap((line) => line.slice(2).split(' ').map(Number));
  return {
    positions: Float64Array.from(numbers('v')),
    triangles: Uint32Array.from(numbers('f'), (corner) => corner - 1),
  };
}
