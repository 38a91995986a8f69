import { expect } from 'vitest';

/** Agreement with a golden number, relative. */
export function expectClose(ours: number, golden: number, what: string, tolerance = 1e-6): void {
  const allowed = tolerance * Math.max(1e-9, Math.abs(golden));
  expect(Math.abs(ours - golden), `${what}: ${ours} against ${golden}`).toBeLessThanOrEqual(
    allowed + 1e-15,
  );
}
