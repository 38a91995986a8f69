import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** What the emulator has denied, and why. */
export interface Denied {
  readonly who: string;
  readonly what: string;
  readonly verdict: string;
}

export interface Verdicts {
  /** Calls that a role's policies did not allow. */
  readonly iam: readonly Denied[];
  /** Calls of jobs that no endpoint of their network let through. */
  readonly network: readonly Denied[];
  /** Addresses and names of elsewhere that jobs reached for. */
  readonly tried: readonly Denied[];
}

export async function verdictsOf(work: string): Promise<Verdicts> {
  const folder = path.join(work, 'verdicts');
  const files = await readdir(folder).catch(() => []);
  const read = async (file: string): Promise<Denied[]> => {
    const text = await readFile(path.join(folder, file), 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line));
  };
  const tried: Denied[] = [];
  for (const file of files) {
    const [, who] = /^attempts-(.*)\.jsonl$/.exec(file) ?? [];
    if (who !== undefined) tried.push(...(await read(file)).map((one) => ({ ...one, who })));
  }
  return { iam: await read('iam.jsonl'), network: await read('network.jsonl'), tried };
}

/** For whoever runs it to read: each once, with how often. */
export function verdictLines({ iam, network, tried }: Verdicts): string[] {
  const counts = new Map<string, number>();
  for (const { who, what, verdict } of [...network, ...tried, ...iam]) {
    const line = `${verdict.padEnd(46)} ${who.split(/[:/]/).at(-2) ?? who}: ${what}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].map(([line, count]) => (count === 1 ? line : `${line} (${count} times)`));
}
