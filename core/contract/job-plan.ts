import type { RunRecord } from './messages.ts';

/** Children of one array job at most (AWS Batch's limit). */
export const MAX_CHILDREN = 10_000;

type Sizes = Pick<RunRecord, 'slicesPerJob' | 'slicesPerSlab'>;

/**
 * How a case's slabs are shared out among GPU jobs. Slabs are small, to read ahead and to resume; a
 * job takes as many as pay for loading the model.
 */
const slabsPerJob = ({ slicesPerJob, slicesPerSlab }: Sizes): number =>
  Math.max(1, Math.floor(slicesPerJob / slicesPerSlab));

/** Jobs of a case with so many slabs: 1 is a plain job, more an array job. */
export const jobChildren = (slabs: number, sizes: Sizes): number =>
  Math.ceil(slabs / slabsPerJob(sizes));

/** Indices of the slabs of one job. */
export function slabsOfJob(job: number, slabs: number, sizes: Sizes): number[] {
  const share = slabsPerJob(sizes);
  const first = job * share;
  return Array.from(
    { length: Math.max(0, Math.min(share, slabs - first)) },
    (_, offset) => first + offset,
  );
}
