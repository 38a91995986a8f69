import { type GpuCost, gpuCost, type Machine } from '../../core/contract/report.ts';
import type { GpuPrices } from '../contract/prices.ts';

/** Wall time of a job on one instance. */
interface InstanceTime {
  readonly totalSeconds: number;
  /** Null where the instance has not described itself. */
  readonly machine: Pick<Machine, 'instanceType' | 'market'> | null;
}

/** What jobs cost on the instances and markets that they really ran on. */
export function costOnMachines(times: Iterable<InstanceTime>, prices: GpuPrices): GpuCost {
  const sum = { seconds: 0, usdSeconds: 0 };
  for (const { totalSeconds, machine } of times) {
    sum.seconds += totalSeconds;
    sum.usdSeconds += totalSeconds * usdPerHour(machine, prices);
  }
  const mean = sum.seconds === 0 ? usdPerHour(null, prices) : sum.usdSeconds / sum.seconds;
  return gpuCost(sum.seconds, mean);
}

/** Of an instance that nobody knows, the dearest: an estimate that is wrong should not be too low. */
function usdPerHour(machine: InstanceTime['machine'], prices: GpuPrices): number {
  const price = machine === null ? undefined : prices[machine.instanceType];
  if (!price) return Math.max(0, ...Object.values(prices).map(({ onDemand }) => onDemand));
  return machine?.market === 'spot' ? (price.spot ?? price.onDemand) : price.onDemand;
}
