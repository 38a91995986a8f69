import type { CaseManifest } from '../contract/manifest.ts';
import { type Geometry, geometryOf } from '../volume/geometry.ts';
import { type NiftiHeader, parseHeader } from '../volume/header.ts';

/** The input's header and geometry, from what the manifest keeps of it. */
export function storedImage(manifest: CaseManifest): {
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
} {
  const subject = manifest.run.input.name;
  const header = parseHeader(Buffer.from(manifest.headerBase64, 'base64'), subject);
  return { header, geometry: geometryOf(header, subject) };
}
