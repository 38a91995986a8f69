import { crc32, deflateSync } from 'node:zlib';

/** Portable Network Graphics, 3rd edition (W3C, 2025). */
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const PAETH = 4;
/** Beyond level 4 a CT slice shrinks by two per cent more, in twice the time. */
const DEFLATE_LEVEL = 4;
const COLOUR = { grey: { code: 0, bytes: 1 }, rgb: { code: 2, bytes: 3 } } as const;

/** An 8-bit colour image in rows, three bytes a pixel. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Encodes 8-bit samples in rows: one byte a pixel for `grey`, three for `rgb`. */
export function encodePng(
  samples: Uint8Array,
  width: number,
  height: number,
  colour: keyof typeof COLOUR,
): Uint8Array {
  const { code, bytes } = COLOUR[colour];
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, code, 0, 0, 0], 8);
  const filtered = paethRows(samples, width * bytes, height, bytes);
  const pixels = deflateSync(filtered, { level: DEFLATE_LEVEL, chunkSize: 1 << 20 });
  const chunks = [chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))];
  return new Uint8Array(Buffer.concat([Buffer.from(SIGNATURE), ...chunks]));
}

function chunk(type: string, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(content.byteLength + 12);
  bytes.writeUInt32BE(content.byteLength, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.byteLength - 4);
  return bytes;
}

/** Every row by Paeth's filter, which suits CT best: the difference to the nearest neighbour. */
function paethRows(samples: Uint8Array, rowBytes: number, rows: number, step: number): Uint8Array {
  const filtered = new Uint8Array(rows * (rowBytes + 1));
  let to = 0;
  for (let row = 0; row < rows; row++) {
    filtered[to++] = PAETH;
    const start = row * rowBytes;
    for (let n = 0; n < rowBytes; n++) {
      const at = start + n;
      const left = n >= step ? samples[at - step]! : 0;
      const up = row > 0 ? samples[at - rowBytes]! : 0;
      const corner = n >= step && row > 0 ? samples[at - rowBytes - step]! : 0;
      filtered[to++] = samples[at]! - paeth(left, up, corner);
    }
  }
  return filtered;
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
