/** Finds set voxels in a byte array four at a time (where its alignment allows it). */
export class VoxelScan {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words =
      bytes.byteOffset % 4 === 0
        ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
        : undefined;
  }

  /** Index of the first non-zero byte in [start, end), or -1. */
  first(start: number, end: number): number {
    const bytes = this.#bytes;
    const words = this.#words;
    let at = start;
    if (words) {
      const aligned = Math.min(end, (start + 3) & ~3);
      for (; at < aligned; at++) if (bytes[at] !== 0) return at;
      const last = end >> 2;
      let word = at >> 2;
      while (word < last && words[word] === 0) word++;
      at = Math.max(at, word << 2);
    }
    for (; at < end; at++) if (bytes[at] !== 0) return at;
    return -1;
  }

  /** Index of the first zero byte in [start, end), or `end`; meant for runs, which are short. */
  firstZero(start: number, end: number): number {
    const bytes = this.#bytes;
    const words = this.#words;
    let at = start;
    if (words) {
      const aligned = Math.min(end, (start + 3) & ~3);
      for (; at < aligned; at++) if (bytes[at] === 0) return at;
      const last = end >> 2;
      let word = at >> 2;
      while (word < last && words[word] === 0x01010101) word++;
      at = Math.max(at, word << 2);
    }
    for (; at < end; at++) if (bytes[at] === 0) return at;
    return end;
  }

  /** Index of the last non-zero byte in [start, end), or -1. */
  last(start: number, end: number): number {
    const bytes = this.#bytes;
    const words = this.#words;
    let at = end - 1;
    if (words) {
      const aligned = Math.max(start, end & ~3);
      for (; at >= aligned; at--) if (bytes[at] !== 0) return at;
      const first = (start + 3) >> 2;
      let word = at >> 2;
      while (word >= first && words[word] === 0) word--;
      at = Math.min(at, (word << 2) + 3);
    }
    for (; at >= start; at--) if (bytes[at] !== 0) return at;
    return -1;
  }
}
