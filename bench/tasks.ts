// Our side of the comparisons, one task a process: `tsx bench/tasks.ts TASK ARGS`. The last line of the
// output is JSON with the seconds of the work alone and the peak memory of the process.
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import { openRuntime } from '../adapters/onnx.ts';
import { openImage } from '../cli/case-image.ts';
import { findInputs } from '../cli/inputs.ts';
import { silentProgress } from '../cli/progress.ts';
import { runCommand } from '../cli/run.ts';
import { CaseReport } from '../core/contract/report.ts';
import type { Feeds } from '../core/ports.ts';
import { decodeImages } from '../core/slice/slab-codec.ts';
import { openBundle } from '../core/stage/open-bundle.ts';
import { THREADS } from './process.ts';

const SLICES_PER_SLAB = 32;

const tasks: Record<string, (...args: string[]) => Promise<object>> = {
  /** infer SLABS BUNDLE: all slices of the slabs through all three graphs, prompts of one fixed box. */
  async infer(slabs, bundleFolder) {
    const bundle = await openBundle(new DirStore(bundleFolder!), bundleFolder!);
    const runtime = await openRuntime(bundle, { threads: THREADS, providers: ['cpu'] });
    const images = await readSlabs(new DirStore(slabs!));
    const batch = 4;
    const plane = 256 * 256;
    const prompts = fixedPrompts(batch);
    const once = async (from: number): Promise<void> => {
      const data = images.subarray(from * plane, (from + batch) * plane);
      const image = { data, dims: [batch, 1, 256, 256] };
      await runtime.infer(['classifier'], { image });
      await runtime.infer(['encoder', 'decoder'], { image, ...prompts });
    };
    await once(0);
    const startedMs = performance.now();
    for (let from = 0; (from + batch) * plane <= images.length; from += batch) await once(from);
    return { seconds: elapsed(startedMs) };
  },

  /** convert SERIES OUT: a DICOM series to one uncompressed NIfTI file, and the CPU time of that. */
  async convert(series, out) {
    const imported = process.cpuUsage();
    const { cases } = await findInputs([series!]);
    const { source } = await openImage(cases[0]!);
    await new DirStore(path.dirname(out!)).put(path.basename(out!), source);
    const { user, system } = process.cpuUsage(imported);
    return { seconds: (user + system) / 1e6 };
  },

  /** run INPUT OUT BUNDLE: the whole command, and the seconds inside the graphs. */
  async run(input, out, bundleFolder) {
    const options = {
      out: out!,
      bundle: bundleFolder!,
      threads: THREADS,
      slicesPerJob: SLICES_PER_SLAB,
      postprocess: true,
      force: true,
    };
    const startedMs = performance.now();
    const { summary } = await runCommand([input!], options, silentProgress);
    const seconds = elapsed(startedMs);
    const caseId = summary.cases[0]!.caseId;
    const report = CaseReport.parse(
      JSON.parse(Buffer.from(await new DirStore(out!).get(`${caseId}/report.json`)).toString()),
    );
    if (report.status === 'failed') throw new Error(report.fault.found);
    const { classifierSeconds, encoderSeconds, decoderSeconds } = report.timings;
    return { seconds, graphSeconds: classifierSeconds + encoderSeconds + decoderSeconds };
  },
};

async function readSlabs(store: DirStore): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for await (const { key } of store.list('bench/work/slabs/'))
    parts.push(decodeImages(await store.get(key)));
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function fixedPrompts(count: number): Feeds {
  const mask = new Float32Array(count * 256 * 256);
  for (let at = 0; at < mask.length; at++) mask[at] = at % 256 > 60 && at % 256 < 180 ? 1 : 0;
  const box = Float32Array.from({ length: count * 4 }, (_, at) => [61, 0, 179, 255][at % 4]!);
  return {
    cam_mask: { data: mask, dims: [count, 1, 256, 256] },
    box: { data: box, dims: [count, 4] },
  };
}

const elapsed = (startedMs: number): number => (performance.now() - startedMs) / 1000;

const [name, ...args] = process.argv.slice(2);
const task = tasks[name ?? ''];
if (!task) throw new Error(`a task of ${Object.keys(tasks).join(', ')}, not ${name}`);
const result = await task(...args);
const peakMiB = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ ...result, peakMiB }));
