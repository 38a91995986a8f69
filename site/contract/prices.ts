import * as z from 'zod';

/** What an hour of an instance costs, in USD, by the market it comes from. */
export const InstancePrice = z.strictObject({
  onDemand: z.number().nonnegative(),
  /** null: as on demand. */
  spot: z.number().nonnegative().nullable(),
});
export type InstancePrice = z.infer<typeof InstancePrice>;

/** By instance type. */
export const GpuPrices = z.record(z.string(), InstancePrice);
export type GpuPrices = z.infer<typeof GpuPrices>;
