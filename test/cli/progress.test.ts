import { describe, expect, it } from 'vitest';
import { TimeLeft, terminalProgress } from '../../cli/progress.ts';

/** What a terminal of this width was told, and a clock that the test turns. */
function terminal(columns = 200) {
  const written: string[] = [];
  const out = { columns, write: (text: string) => written.push(text) };
  const clock = { ms: 0 };
  const progress = terminalProgress(out as unknown as NodeJS.WriteStream, () => clock.ms);
  return { written, clock, progress };
}

describe('terminalProgress', () => {
  it('judges what is left by the slices that were computed, not by those that lay there', () => {
    const { written, clock, progress } = terminal();
    progress.begin('a', '[1/1]');
    clock.ms = 1000;
    progress.update(60, 100, { kept: 60 });
    expect(written.at(-1)).toMatch(/60\/100 slices$/);
    clock.ms = 11_000;
    progress.update(70, 100, { kept: 60 });
    expect(written.at(-1)).toMatch(/70\/100 slices, 33 s left$/);
  });

  it('never writes a line that would wrap', () => {
    const { written, clock, progress } = terminal(30);
    progress.begin('a-very-long-name-of-a-case-that-fills-the-line', '[1/1]');
    clock.ms = 1000;
    progress.update(1, 100);
    for (const text of written) expect(text.replace('\r\x1b[2K', '').length).toBeLessThan(30);
  });
});

describe('TimeLeft', () => {
  it('counts only cases that took time', () => {
    const left = new TimeLeft();
    expect(left.text(3)).toBe('');
    left.add({ resumed: true, ms: 1 });
    expect(left.text(3)).toBe('');
    left.add({ resumed: false, ms: 60_000 });
    expect(left.text(3)).toBe(', 3 min 00 s left');
    expect(left.text(0)).toBe('');
  });
});
