import type { Backend } from '../core/contract/manifest.ts';
import type { Provenance } from '../core/contract/report.ts';
import packageJson from '../package.json' with { type: 'json' };

/** The largest resident memory of the process so far. */
export const peakMemoryMiB = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

/** What made a mask, for its report. `backend` is null where no graph ran. */
export const provenance = (backend: Backend | null): Provenance => ({
  sammixVersion: packageJson.version,
  backend,
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
});
