import { z } from 'zod';

/** What GPU jobs cost, as an estimate. */
export const GpuCost = z.strictObject({
  /** Wall time of the GPU jobs, model load and interrupted attempts included. */
  gpuSeconds: z.number().nonnegative(),
  usdPerGpuHour: z.number().nonnegative(),
  /** `gpuSeconds` at that price; start-up of the instances and storage not included. */
  estimatedUsd: z.number().nonnegative(),
});
export type GpuCost = z.infer<typeof GpuCost>;

export const gpuCost = (gpuSeconds: number, usdPerGpuHour: number): GpuCost => ({
  gpuSeconds,
  usdPerGpuHour,
  estimatedUsd: (gpuSeconds / 3600) * usdPerGpuHour,
});
