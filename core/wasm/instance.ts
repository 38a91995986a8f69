import { assemble, type WasmFunction } from './assemble.ts';

/** The part of the global WebAssembly in use; TypeScript declares it for browsers only. */
interface WebAssemblyApi {
  readonly Memory: new (descriptor: { initial: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { host: { memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
const api = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

const PAGE_BYTES = 65536;

export type WasmExports<Names extends string> = Readonly<
  Record<Names, (...args: number[]) => void>
>;

/** Functions and the memory that they work on; the memory never grows, so views on it stay valid. */
export interface WasmInstance<Names extends string> {
  readonly memory: ArrayBuffer;
  readonly run: WasmExports<Names>;
}

export function instantiate<Names extends string>(
  functions: Readonly<Record<Names, WasmFunction>>,
  memoryBytes: number,
): WasmInstance<Names> {
  const memory = new api.Memory({ initial: Math.ceil(memoryBytes / PAGE_BYTES) });
  const instance = new api.Instance(new api.Module(assemble(functions)), { host: { memory } });
  return { memory: memory.buffer, run: instance.exports as WasmExports<Names> };
}

/** Hands out parts of a memory one after the other, each with room to read or write beyond it. */
export class Layout {
  private next: number;
  private readonly marginBytes: number;

  constructor(marginBytes: number) {
    this.marginBytes = marginBytes;
    this.next = marginBytes;
  }

  take(bytes: number): number {
    const address = this.next;
    this.next = Math.ceil((address + bytes + this.marginBytes) / 16) * 16;
    return address;
  }

  get bytes(): number {
    return this.next;
  }
}
