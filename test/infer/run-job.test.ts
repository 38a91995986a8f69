import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRuntime } from '../../adapters/onnx.ts';
import { BundleError, InputError, StorageError } from '../../core/errors.ts';
import { type JobContext, runJob } from '../../gpu-jobs/infer/run-job.ts';
import { EXIT, SegmentJobEnv } from '../../site/contract/env.ts';
import { openTinyBundle } from '../support/case.ts';

const FAULT = { subject: 's', expected: 'e', found: 'f', remedy: 'r' };

let machine: string;
let lines: string[];
beforeEach(async () => {
  machine = await mkdtemp(path.join(tmpdir(), 'sammix-machine-'));
  lines = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
  const environment = {
    SAMMIX_SITE: 'north',
    SAMMIX_BUCKET: 'bucket',
    SAMMIX_PROVIDERS: 'cuda',
    SAMMIX_THREADS: '1',
    SAMMIX_MACHINE: machine,
    SAMMIX_TRACE_ID: 't',
    SAMMIX_RUN_ID: '0123456789abcdef',
    AWS_REGION: 'eu-central-1',
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = 0;
  await rm(machine, { recursive: true });
});

type Run = Parameters<typeof runJob<ReturnType<typeof SegmentJobEnv>>>[2];

/** The exit code and the last line of the log of a job that does this. */
async function ended(run: Run): Promise<{ code: typeof process.exitCode; said: unknown }> {
  await runJob('segment', SegmentJobEnv, run);
  return { code: process.exitCode, said: JSON.parse(lines.at(-1)!) };
}

describe('a job', () => {
  it('that finds no GPU ends with a code of its own, and does not compute on the CPU', async () => {
    const bundle = await openTinyBundle();
    const { code, said } = await ended(async ({ options }) => {
      await openRuntime(bundle, options);
      return 'done';
    });
    expect(code).toBe(EXIT.noGpu);
    expect(said).toMatchObject({ event: 'job-failed', error: { code: 'no-backend' } });
  });

  it.each([
    ['storage that did not answer', new StorageError({ ...FAULT, code: 'storage-failed' }), 75],
    ['storage that says no', new StorageError({ ...FAULT, code: 'no-permission' }), 3],
    ['bad input', new InputError({ ...FAULT, code: 'bad' }), 3],
    ['a damaged bundle', new BundleError({ ...FAULT, code: 'graph-does-not-load' }), 3],
    ['a defect', new Error('ours'), 1],
  ])('that meets %s says so by its exit code', async (_what, error, expected) => {
    expect((await ended(() => Promise.reject(error))).code).toBe(expected);
  });

  it('knows the machine that has described itself, and runs on one that has not', async () => {
    const seen: JobContext<unknown>['options'][] = [];
    const look: Run = async ({ options }) => {
      seen.push(options);
      return 'done';
    };
    await ended(look);
    const facts = {
      instanceType: 'g5.xlarge',
      market: 'spot',
      gpu: null,
      driver: null,
      image: null,
    };
    await writeFile(
      path.join(machine, 'machine.json'),
      JSON.stringify({ ...facts, imageDate: null }),
    );
    await ended(look);
    expect(seen.map((one) => one.machine?.instanceType)).toEqual([undefined, 'g5.xlarge']);
  });
});
