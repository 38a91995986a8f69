/** The codec packages bring no types: what the emscripten builds of CharLS, OpenJPEG, OpenJPH and
 * libjpeg-turbo have in common. */
export interface WasmDecoder {
  getEncodedBuffer(bytes: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  decode(): void;
  delete(): void;
}

export type WasmDecoderClass = new () => WasmDecoder;

export interface WasmModule {
  readonly [decoder: string]: unknown;
  readonly getExceptionMessage?: (address: number) => unknown;
}

export type WasmFactory = (options: object) => Promise<WasmModule>;
