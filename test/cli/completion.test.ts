import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BIN = path.join(import.meta.dirname, '../../cli/bin.mjs');
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

const scriptFor = (shell: string): string =>
  String(spawnSync(process.execPath, [BIN, 'completion', shell]).stdout);

const zsh = has('zsh');
if (!zsh) console.warn('SKIPPED: completion in a real zsh; none is installed');

/** Types a line into an interactive zsh, presses Tab twice, and gives what its terminal shows then. */
const IN_ZSH = String.raw`
zmodload zsh/zpty
zpty shell zsh -f -i
read_until() { local seen= part; repeat $2; do
  if zpty -r -t shell part; then seen+=$part; else sleep 0.05; fi
  [[ $seen == *$1* ]] && break; done; print -r -- "$seen"; }
zpty -w shell 'PS1=; fpath=($FUNCTIONS_FOLDER $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=10000; print REA""DY'
read_until READY 400 > /dev/null
zpty -w -n shell "$LINE"$'\t\t'
read_until $EXPECTED 200
zpty -d shell
`;

describe.skipIf(!zsh)('completion in zsh', { timeout: 60_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sammix-zsh-'));
    await writeFile(path.join(folder, '_sammix'), scriptFor('zsh'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    ['sammix ev', 'evaluate'],
    ['sammix ', 'look at cases in the browser'],
    ['sammix run --thr', '--threshold'],
    ['sammix site promo', 'promote'],
    ['sammix site status --reg', '--region'],
  ])('offers what goes on after "%s"', (line, expected) => {
    const { stdout } = spawnSync('zsh', ['-f', '-c', IN_ZSH], {
      env: {
        ...process.env,
        LINE: line,
        EXPECTED: expected,
        FUNCTIONS_FOLDER: folder,
        TERM: 'dumb',
      },
      timeout: 30_000,
    });
    expect(String(stdout)).toContain(expected);
  });
});
