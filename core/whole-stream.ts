import type { ByteStream } from './ports.ts';

/** All bytes of a stream, for what is small enough to be held. */
export async function wholeStream(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
