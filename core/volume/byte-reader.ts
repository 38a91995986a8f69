import type { ByteStream } from '../ports.ts';

const EMPTY = new Uint8Array(0);

/** Pulls exact amounts out of a byte stream; holds one chunk of it at a time. */
export class ByteReader {
  private readonly iterator: AsyncIterator<Uint8Array>;
  private chunk: Uint8Array = EMPTY;
  private ended = false;
  /** Bytes handed out so far. */
  position = 0;

  constructor(source: ByteStream) {
    this.iterator = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes without taking them; fewer where the stream ends before. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.chunk.byteLength < length && !this.ended) {
      const rest = this.chunk;
      if (!(await this.pull()) || rest.byteLength === 0) continue;
      const joined = new Uint8Array(rest.byteLength + this.chunk.byteLength);
      joined.set(rest);
      joined.set(this.chunk, rest.byteLength);
      this.chunk = joined;
    }
    return this.chunk.subarray(0, length);
  }

  /** Fills `target` and returns how many bytes there were: fewer only at the end of the stream. */
  async readInto(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.byteLength) {
      if (this.chunk.byteLength === 0 && !(await this.pull())) break;
      const part = this.take(target.byteLength - filled);
      target.set(part, filled);
      filled += part.byteLength;
    }
    return filled;
  }

  /** The next `length` bytes, copied; fewer at the end of the stream. */
  async read(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let total = 0;
    while (total < length) {
      if (this.chunk.byteLength === 0 && !(await this.pull())) break;
      const part = this.take(length - total);
      parts.push(part);
      total += part.byteLength;
    }
    return new Uint8Array(Buffer.concat(parts, total));
  }

  /** Reads to the end and returns the number of bytes passed over. */
  async drain(): Promise<number> {
    let passed = 0;
    do passed += this.take(this.chunk.byteLength).byteLength;
    while (await this.pull());
    return passed;
  }

  /** All that follows, as a stream; the reader must not be used beside it. */
  async *rest(): ByteStream {
    try {
      if (this.chunk.byteLength > 0) yield this.take(this.chunk.byteLength);
      while (await this.pull()) yield this.take(this.chunk.byteLength);
    } finally {
      await this.close();
    }
  }

  /** Lets go of the source; harmless when repeated. */
  async close(): Promise<void> {
    this.chunk = EMPTY;
    if (this.ended) return;
    this.ended = true;
    await this.iterator.return?.();
  }

  private take(length: number): Uint8Array {
    const part = this.chunk.subarray(0, length);
    this.chunk = this.chunk.subarray(part.byteLength);
    this.position += part.byteLength;
    return part;
  }

  /** Replaces the chunk by the next one that is not empty; false at the end. */
  private async pull(): Promise<boolean> {
    while (!this.ended) {
      const next = await this.iterator.next();
      if (next.done) this.ended = true;
      else if (next.value.byteLength > 0) {
        this.chunk = next.value;
        return true;
      }
    }
    return false;
  }
}
