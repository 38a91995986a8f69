/**
 * The two seams between the domain and the world. Each stage takes them as arguments; `adapters/`
 * implements them for a folder, for S3 and for ONNX Runtime.
 */

export type ByteStream = AsyncIterable<Uint8Array>;

/** A file, or an entry of a zip file, of which any part can be read. */
export interface RangedFile {
  /** Its path below the folder or inside the zip that was given. */
  readonly name: string;
  readonly bytes: number;
  /** Bytes `from` up to, not including, `to`; fewer only where the file ends before. */
  read(from: number, to: number): Promise<Uint8Array>;
}

export interface BlobInfo {
  readonly key: string;
  readonly bytes: number;
  /** Changes whenever the content changes: an S3 version id or ETag, or a file's size and mtime. */
  readonly version: string;
}

export interface BlobStore {
  /** Streams an object. Throws `StorageError` (`blob-missing`) where there is none. */
  read(key: string): ByteStream;
  get(key: string): Promise<Uint8Array>;
  stat(key: string): Promise<BlobInfo | undefined>;
  /** Writes atomically: a reader sees the old content or the whole of the new, never a part. */
  put(key: string, body: Uint8Array | ByteStream, contentType?: string): Promise<void>;
  list(prefix: string): AsyncIterable<BlobInfo>;
  /** Removing what is not there is not an error. */
  remove(key: string): Promise<void>;
}

export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export type Feeds = Readonly<Record<string, FloatTensor>>;

export type GraphRole = 'classifier' | 'encoder' | 'decoder';

/**
 * Runs graphs of the bundle one after another: float32 tensors by name in, those of the last graph
 * out. A graph takes its inputs from the outputs of those before it, the others from `feeds`.
 */
export type Infer = (graphs: readonly GraphRole[], feeds: Feeds) => Promise<Inferred>;

export interface Inferred {
  readonly outputs: Feeds;
  /** Inside each of the graphs, in their order. */
  readonly seconds: readonly number[];
}
