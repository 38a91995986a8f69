import { constants, createGunzip, createGzip, type Gunzip, type Gzip } from 'node:zlib';
import { InputError, SammixError } from '../errors.ts';
import type { ByteStream } from '../ports.ts';

/** zlib's output buffer: large, so that a whole slice needs one or two trips to the thread pool. */
const CHUNK_BYTES = 1024 * 1024;

/** How far zlib's thread may run ahead of the consumer; bounds the memory of a stream. */
const AHEAD_BYTES = 2 * 1024 * 1024;

const STREAM_OPTIONS = {
  chunkSize: CHUNK_BYTES,
  readableHighWaterMark: AHEAD_BYTES,
  writableHighWaterMark: AHEAD_BYTES / 2,
};

export const isGzip = (start: Uint8Array): boolean => start[0] === 0x1f && start[1] === 0x8b;

/**
 * Inflates a gzip stream of one or more members while the consumer works on what came before.
 * Zero bytes after the last member are padding; anything else there is an error. Every member's
 * CRC-32 and length are checked, so a stream that ends without an error is intact.
 * Throws `InputError`: `truncated-gzip`, `corrupt-gzip`. Errors of the source pass through.
 */
export async function* gunzip(source: ByteStream, subject: string): ByteStream {
  const inflater = createGunzip(STREAM_OPTIONS as Parameters<typeof createGunzip>[0]);
  const pumping = pump(source, inflater);
  try {
    for await (const chunk of inflater) yield chunk as Uint8Array;
  } catch (cause) {
    throw gzipError(cause, subject);
  } finally {
    inflater.destroy();
  }
  await pumping;
}

/**
 * Deflates to one gzip member. The bytes depend on the input, the level and the zlib build alone:
 * no time, no name, and the operating system is given as unknown.
 *
 * @param level 0 (stored) to 9; 6 is gzip's own default.
 * @param content `runs` looks for runs of equal bytes only: for masks it takes a sixth of the time
 *   and gives the smaller file.
 */
export async function* gzip(
  source: ByteStream,
  level = 6,
  content: 'any' | 'runs' = 'any',
): ByteStream {
  const strategy = content === 'runs' ? constants.Z_RLE : constants.Z_DEFAULT_STRATEGY;
  const options = { ...STREAM_OPTIONS, level, strategy };
  const deflater = createGzip(options as Parameters<typeof createGzip>[0]);
  const pumping = pump(source, deflater);
  let first = true;
  try {
    for await (const chunk of deflater) {
      if (first) (chunk as Uint8Array)[OS_BYTE] = OS_UNKNOWN;
      first = false;
      yield chunk as Uint8Array;
    }
  } finally {
    deflater.destroy();
  }
  await pumping;
}

/** RFC 1952, 2.3: the tenth header byte names the operating system. */
const OS_BYTE = 9;
const OS_UNKNOWN = 255;

/** Feeds a zlib stream; a failure of the source becomes the failure of the stream. Never rejects. */
async function pump(source: ByteStream, sink: Gunzip | Gzip): Promise<void> {
  try {
    for await (const chunk of source) {
      if (sink.destroyed || sink.writableEnded) return;
      if (chunk.byteLength > 0 && !sink.write(chunk)) await drained(sink);
    }
    if (!sink.destroyed) sink.end();
  } catch (error) {
    sink.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

const drained = (sink: Gunzip | Gzip): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'end'] as const) sink.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'end'] as const) sink.once(event, done);
  });

function gzipError(cause: unknown, subject: string): unknown {
  if (cause instanceof SammixError || !(cause instanceof Error)) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  if (!code.startsWith('Z_')) return cause;
  const truncated = code === 'Z_BUF_ERROR';
  return new InputError(
    {
      code: truncated ? 'truncated-gzip' : 'corrupt-gzip',
      subject,
      expected: 'a complete gzip stream',
      found: truncated ? 'an end in the middle of it' : `damaged data (${cause.message})`,
      remedy: 'Copy or download the file again; `gzip -t` must pass.',
    },
    { cause },
  );
}
