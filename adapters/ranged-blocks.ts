import type { RangedFile } from '../core/ports.ts';

/** A request to S3 takes about as long for these as for one byte. */
const BLOCK_BYTES = 2 ** 20;
const BLOCKS = 32;

/**
 * The same file for whoever reads many small ranges, mostly onwards: it is read in blocks of 1 MiB, of
 * which the last 32 are kept.
 */
export function inBlocks(file: RangedFile): RangedFile {
  const kept = new Map<number, Promise<Uint8Array>>();
  const block = (index: number): Promise<Uint8Array> => {
    const from = index * BLOCK_BYTES;
    const bytes = kept.get(index) ?? file.read(from, Math.min(file.bytes, from + BLOCK_BYTES));
    // Behind all others: the first is the one that was not used for longest.
    kept.delete(index);
    kept.set(index, bytes);
    bytes.catch(() => kept.delete(index));
    if (kept.size > BLOCKS) kept.delete(kept.keys().next().value!);
    return bytes;
  };
  const read = async (from: number, to: number): Promise<Uint8Array> => {
    const end = Math.min(to, file.bytes);
    const parts: Uint8Array[] = [];
    for (let at = from; at < end; ) {
      const index = Math.floor(at / BLOCK_BYTES);
      const start = index * BLOCK_BYTES;
      const part = (await block(index)).subarray(at - start, Math.min(end - start, BLOCK_BYTES));
      if (part.byteLength === 0) break;
      parts.push(part);
      at += part.byteLength;
    }
    return parts.length === 1 ? parts[0]! : new Uint8Array(Buffer.concat(parts));
  };
  return { name: file.name, bytes: file.bytes, read };
}
