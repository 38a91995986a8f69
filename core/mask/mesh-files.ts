import type { SurfaceMesh } from './mesh.ts';

const STL_HEADER_BYTES = 80;
const STL_TRIANGLE_BYTES = 50;

/** Binary STL; numbers are single precision. */
export function stlFile({ positions, triangles }: SurfaceMesh, title: string): Uint8Array {
  const count = triangles.length / 3;
  const bytes = new Uint8Array(STL_HEADER_BYTES + 4 + count * STL_TRIANGLE_BYTES);
  // It must not begin with "solid": that is how text files are told.
  bytes.set(new TextEncoder().encode(`sammix ${title}`).subarray(0, STL_HEADER_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint32(STL_HEADER_BYTES, count, true);
  for (let n = 0; n < count; n++) {
    const at = STL_HEADER_BYTES + 4 + n * STL_TRIANGLE_BYTES;
    const corners = [0, 1, 2].map((c) => triangles[n * 3 + c]! * 3);
    normal(positions, corners).forEach((value, axis) => {
      view.setFloat32(at + 4 * axis, value, true);
    });
    corners.forEach((corner, c) => {
      for (let axis = 0; axis < 3; axis++)
        view.setFloat32(at + 12 + 12 * c + 4 * axis, positions[corner + axis]!, true);
    });
  }
  return bytes;
}

function normal(p: Float64Array, corners: readonly number[]): number[] {
  const [a, b, c] = corners as [number, number, number];
  const u = [0, 1, 2].map((axis) => p[b + axis]! - p[a + axis]!) as [number, number, number];
  const v = [0, 1, 2].map((axis) => p[c + axis]! - p[a + axis]!) as [number, number, number];
  const cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const length = Math.hypot(...cross);
  return cross.map((value) => (length > 0 ? value / length : 0));
}

/** Wavefront OBJ: text, a group named after what it shows. */
export function objFile({ positions, triangles }: SurfaceMesh, title: string): Uint8Array {
  const lines = [`# sammix ${title}, RAS+ millimetres`, `g ${title.split(' ')[0]}`];
  for (let n = 0; n < positions.length; n += 3)
    lines.push(`v ${[...positions.subarray(n, n + 3)].map((mm) => mm.toFixed(4)).join(' ')}`);
  for (let n = 0; n < triangles.length; n += 3)
    lines.push(`f ${[...triangles.subarray(n, n + 3)].map((corner) => corner + 1).join(' ')}`);
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}
