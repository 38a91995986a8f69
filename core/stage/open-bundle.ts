import { createHash } from 'node:crypto';
import type * as z from 'zod';
import { BundleManifest, type GraphSpec } from '../contract/bundle.ts';
import { BundleError } from '../errors.ts';
import type { BlobStore, GraphRole } from '../ports.ts';

/** A bundle whose every file was read and matched its sha256. */
export interface OpenBundle {
  readonly manifest: BundleManifest;
  /** sha256 of `bundle.json`, which holds the sha256 of every other file: names the whole bundle. */
  readonly digest: string;
  readonly graphs: Readonly<Record<GraphRole, GraphFile>>;
}

export interface GraphFile {
  readonly spec: GraphSpec;
  readonly bytes: Uint8Array;
}

export const BUNDLE_MANIFEST = 'bundle.json';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Reads the bundle at the root of `store` and verifies every file.
 *
 * @param subject how errors name the bundle, e.g. its folder
 * @throws BundleError naming the file that is missing, corrupted or not understood
 */
export async function openBundle(store: BlobStore, subject: string): Promise<OpenBundle> {
  const manifestBytes = await readFile(store, BUNDLE_MANIFEST, subject);
  const manifest = parseManifest(manifestBytes, `${subject}/${BUNDLE_MANIFEST}`);
  const graphFiles = new Map<string, Uint8Array>();
  const roles = {
    classifier: manifest.classifier.graph,
    encoder: manifest.encoder.graph,
    decoder: manifest.decoder.graph,
  };
  const wanted = new Set(Object.values(roles).map((graph) => graph.file));
  for (const file of manifest.files) {
    const bytes = await readFile(store, file.path, subject);
    verify(bytes, file, `${subject}/${file.path}`);
    if (wanted.has(file.path)) graphFiles.set(file.path, bytes);
  }
  const graph = (spec: GraphSpec): GraphFile => ({ spec, bytes: graphFiles.get(spec.file)! });
  return {
    manifest,
    digest: sha256(manifestBytes),
    graphs: {
      classifier: graph(roles.classifier),
      encoder: graph(roles.encoder),
      decoder: graph(roles.decoder),
    },
  };
}

async function readFile(store: BlobStore, path: string, subject: string): Promise<Uint8Array> {
  try {
    return await store.get(path);
  } catch (cause) {
    throw new BundleError(
      {
        code: 'bundle-file-missing',
        subject: `${subject}/${path}`,
        expected: 'a file of the bundle',
        found: 'none that can be read',
        remedy: 'Export the bundle again or copy all of its files.',
      },
      { cause },
    );
  }
}

function parseManifest(bytes: Uint8Array, subject: string): BundleManifest {
  const fault = (found: string, cause: unknown): BundleError =>
    new BundleError(
      {
        code: 'bundle-manifest-invalid',
        subject,
        expected: 'a bundle manifest of schema version 1',
        found,
        remedy: 'Use a bundle made by the trainer of this version; see docs/bundle.md.',
      },
      { cause },
    );
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw fault('text that is not JSON', cause);
  }
  const parsed = BundleManifest.safeParse(json);
  if (parsed.success) return parsed.data;
  throw fault(describe(parsed.error), parsed.error);
}

function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join('.') || 'the manifest'}: ${issue.message}`)
    .join('; ');
}

function verify(bytes: Uint8Array, file: BundleManifest['files'][number], subject: string): void {
  const found = sha256(bytes);
  if (bytes.length === file.bytes && found === file.sha256) return;
  throw new BundleError({
    code: 'bundle-file-corrupted',
    subject,
    expected: `${file.bytes} bytes with sha256 ${file.sha256}`,
    found: `${bytes.length} bytes with sha256 ${found}`,
    remedy: 'The file is damaged or from another bundle: copy the whole bundle again.',
  });
}
