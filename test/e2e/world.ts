import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Deployment, REGION } from './deployment.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { verdictLines, verdictsOf } from './verdicts.ts';

export interface World {
  readonly work: string;
  readonly emulator: Emulator;
  readonly deployment: Deployment;
}

/** What is to be undone, also of a world that did not come about as a whole. */
const opened: (() => Promise<void>)[] = [];

/** An emulator with the account bootstrapped, and a folder to work in. */
export async function openWorld(): Promise<World> {
  const work = await mkdtemp(path.join(tmpdir(), 'sammix-e2e-'));
  opened.push(async () => {
    if (process.env.SAMMIX_E2E_KEEP === undefined) await rm(work, { recursive: true, force: true });
  });
  // Jobs have the user of their image, and read here what stands for it.
  await chmod(work, 0o755);
  const emulator = await startEmulator(work);
  opened.push(async () => {
    const lines = verdictLines(await verdictsOf(work));
    console.log(['', 'Denied by the emulator:', ...lines].join('\n'));
  });
  opened.push(() => emulator.stop());
  process.env.AWS_REGION = REGION;
  const deployment = await Deployment.open(emulator);
  await deployment.bootstrap();
  return { work, emulator, deployment };
}

export async function closeWorld(): Promise<void> {
  for (const undo of opened.reverse()) await undo();
}
