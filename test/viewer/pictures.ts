import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';

/** What the scripts behind `npm run picture` share: the command, and the address that a page of it has. */

export const ROOT = path.join(import.meta.dirname, '../..');
const BIN = path.join(ROOT, 'cli/bin.mjs');

export function sammix(...args: string[]): void {
  const { status } = spawnSync(process.execPath, [BIN, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** A command that serves a page until it is stopped. */
export async function served(...args: string[]): Promise<{ url: string; stop: () => void }> {
  const server = spawn(process.execPath, [BIN, ...args, '--json']);
  let text = '';
  const url = await new Promise<string>((resolve) => {
    server.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /http:\/\/[^"\s]+/.exec(text);
      if (found) resolve(found[0]);
    });
  });
  return { url, stop: () => server.kill('SIGINT') };
}
