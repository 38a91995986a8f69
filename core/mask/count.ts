/** Words whose bytes can be added up before one of them could pass 255. */
const WORDS_PER_SUM = 255;

/** Voxels that are set; `data` holds 0 and 1. Four of them are added at a time. */
export function countSet(data: Uint8Array): number {
  const head = Math.min(data.length, (4 - (data.byteOffset % 4)) % 4);
  const count = (data.length - head) >> 2;
  const words =
    count > 0 ? new Uint32Array(data.buffer, data.byteOffset + head, count) : new Uint32Array(0);
  let voxels = 0;
  for (let from = 0; from < words.length; from += WORDS_PER_SUM) {
    const to = Math.min(words.length, from + WORDS_PER_SUM);
    let sums = 0;
    for (let at = from; at < to; at++) sums = (sums + words[at]!) | 0;
    voxels += (sums & 0xff) + ((sums >>> 8) & 0xff) + ((sums >>> 16) & 0xff) + (sums >>> 24);
  }
  for (let at = 0; at < head; at++) voxels += data[at]!;
  for (let at = head + words.length * 4; at < data.length; at++) voxels += data[at]!;
  return voxels;
}
