import type { Command } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import { availableProviders } from '../adapters/onnx.ts';
import { ort } from '../adapters/ort.ts';
import { provenance } from '../adapters/provenance.ts';
import { openBundle } from '../core/stage/open-bundle.ts';
import { DEFAULT_BUNDLE, type Finished, ok, report, withOutput } from './command.ts';

/** `sammix info` */
export function define(command: Command): void {
  withOutput(command)
    .option('-b, --bundle <dir>', 'a model bundle (default: the one that comes with sammix)')
    .action(async (options: { readonly bundle?: string }) => {
      await report(command, () => infoCommand(options));
    });
}

/** `sammix info`: the bundle, verified, and what this machine can run it with. */
export async function infoCommand(options: { readonly bundle?: string }): Promise<Finished> {
  const folder = options.bundle ?? DEFAULT_BUNDLE;
  const { manifest, digest } = await openBundle(new DirStore(folder), folder);
  const backends = availableProviders();
  const { sammixVersion, node, platform } = provenance(null);
  const { training } = manifest;
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const lines: readonly (readonly [string, string])[] = [
    ['sammix', `${sammixVersion}, Node ${node}, ${platform}`],
    ['ONNX Runtime', `${ort.env.versions.node ?? 'unknown'}, can run on ${backends.join(', ')}`],
    ['bundle', `${manifest.name} (${(bytes / 1e6).toFixed(1)} MB) in ${folder}`],
    ['digest', digest],
    ['made', `${manifest.createdAt} by trainer ${manifest.trainer.version}`],
    ['window', `${manifest.preprocess.windowHu.join(' to ')} HU`],
    ['input', `${manifest.preprocess.sliceSizePx} x ${manifest.preprocess.sliceSizePx} px`],
    ['target', manifest.target.name],
    ['threshold', `P(${manifest.target.name}) >= ${manifest.classifier.threshold.toFixed(3)}`],
    [
      'trained',
      `${training.protocol}: ${training.labelledSlices} labelled and ${training.unlabelledSlices} unlabelled slices, ${Math.round(training.epochs)} epochs, seed ${training.seed}, on ${training.device}`,
    ],
    ...manifest.licences.map(
      ({ source, licence, use }) => ['data', `${source}: ${licence} (${use})`] as const,
    ),
    ['use', 'research only; not a medical device'],
    ...manifest.metrics.map(
      ({ name, dataset, protocol, value, n }) =>
        ['measured', `${name} ${value.toFixed(3)} on ${dataset} (${protocol}, n = ${n})`] as const,
    ),
  ];
  return ok(
    { sammixVersion, node, platform, backends, digest, bundle: manifest },
    lines.map(([name, value]) => `${name.padEnd(13)} ${value}`).join('\n'),
  );
}
