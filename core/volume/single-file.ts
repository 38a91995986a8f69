import type { ByteStream } from '../ports.ts';
import { parseHeader } from './header.ts';
import { HeaderFields, NIFTI1, NIFTI2 } from './header-layout.ts';
import { inflated } from './reader.ts';

/**
 * A NIfTI file as one uncompressed `.nii`: gzip undone, however many members it has, and a
 * `.hdr`/`.img` pair put together (its extensions left out). Voxels pass as they are.
 * Throws `InputError` with the codes of `parseHeader` and `gunzip`.
 *
 * @param imageSource the `.img` of a pair
 */
export async function* singleFile(
  source: ByteStream,
  subject: string,
  imageSource?: ByteStream,
): ByteStream {
  const { bytes } = await inflated(source, subject);
  if (imageSource === undefined) {
    // Whatever the file is called: nothing but NIfTI goes out.
    parseHeader(await bytes.peek(NIFTI2.bytes), subject);
    return yield* bytes.rest();
  }
  const header = parseHeader(await bytes.read(NIFTI2.bytes), subject);
  await bytes.close();
  const layout = header.version === 1 ? NIFTI1 : NIFTI2;
  const start = new Uint8Array(layout.dataOffset);
  start.set(header.raw);
  const fields = new HeaderFields(start, layout, header.littleEndian);
  fields.setText(layout.magicAt, layout.singleMagic.length, layout.singleMagic);
  fields.set('voxOffset', layout.dataOffset);
  yield start;
  const image = await inflated(imageSource, subject);
  await image.bytes.read(header.voxOffset);
  yield* image.bytes.rest();
}
