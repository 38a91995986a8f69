import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Deployment, REGION } from './deployment.ts';
import { type Emulator, startEmulator } from './emulator.ts';

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
  const emulator = await startEmulator(work);
  opened.push(() => emulator.stop());
  process.env.AWS_REGION = REGION;
  const deployment = await Deployment.open(emulator);
  await deployment.bootstrap();
  return { work, emulator, deployment };
}

export async function closeWorld(): Promise<void> {
  for (const undo of opened.reverse()) await undo();
}
