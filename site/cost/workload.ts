/**
 * What one volume asks of a site. S3 requests are counted (test/site/calls.test.ts over the handlers,
 * `npm run e2e` over the deployment); the times of functions were measured (docs/deploy.md), that of
 * the GPU is assumed until a site has measured it.
 */

export interface Volume {
  readonly slices: number;
  readonly slicesPerSlab: number;
  readonly slicesPerJob: number;
}

/** Requests to S3; lists cost as much as writes. */
export interface Requests {
  readonly writes: number;
  readonly reads: number;
}

export const slabsOf = ({ slices, slicesPerSlab }: Volume): number =>
  Math.ceil(slices / slicesPerSlab);

export const jobsOf = (volume: Volume): number =>
  Math.ceil(slabsOf(volume) / Math.max(1, Math.floor(volume.slicesPerJob / volume.slicesPerSlab)));

/** Claim, slabs, manifest, state; read are the event's mark, the scan, and the claim before and after. */
export const splitRequests = (volume: Volume): Requests => ({
  writes: 6 + slabsOf(volume),
  reads: 4,
});

/** Each job reads record, manifest, bundle and graphs; each slab is looked for, read, and written twice. */
export const jobRequests = (volume: Volume): Requests => ({
  writes: 2 * slabsOf(volume) + jobsOf(volume),
  reads: 2 * slabsOf(volume) + 9 * jobsOf(volume),
});

/**
 * Masks are read where they are not empty, so this is an upper bound: slabs that hold no liver are not
 * read again for the pictures. Two of the writes are lists of the jobs' accounts.
 */
export const assembleRequests = (volume: Volume): Requests => ({
  writes: 13,
  reads: Math.ceil(16 + 6.5 * slabsOf(volume) + 2 * jobsOf(volume)),
});

/** Whether the case came by DICOM. */
export const DICOM_SEG_REQUESTS: Requests = { writes: 0, reads: 1 };

/** All of them, the upload among them. */
export function requestsOf(volume: Volume): Requests {
  const stages = [
    splitRequests(volume),
    jobRequests(volume),
    assembleRequests(volume),
    DICOM_SEG_REQUESTS,
  ];
  return {
    writes: 1 + stages.reduce((sum, { writes }) => sum + writes, 0),
    reads: stages.reduce((sum, { reads }) => sum + reads, 0),
  };
}

/** Memory of the functions in GB, as `infra/pipeline.ts` asks for it. */
export const FUNCTION_GB = { split: 1769 / 1024, assemble: 3008 / 1024 } as const;

/** 8 s for 1 000 slices of 512 x 512 and 50 s with report and label, measured on a busy core of a server. */
export const splitSeconds = (slices: number): number => 2 + 0.01 * slices;
export const assembleSeconds = (slices: number): number => 3 + 0.05 * slices;

/** Of a T4, assumed: container and graphs of a job, and a slice through the gate, encoder and decoder. */
export const GPU_SECONDS = { perJob: 30, perSlice: 0.06 } as const;

export const gpuSecondsOf = (volume: Volume): number =>
  GPU_SECONDS.perJob * jobsOf(volume) + GPU_SECONDS.perSlice * volume.slices;

/** An instance is up so long before its first job and after its last. */
export const INSTANCE_IDLE_SECONDS = 600;

/** Compressed 512 x 512 int16; the canonical 256 x 256 slices between the stages; what is kept of a case. */
export const BYTES = {
  uploadPerSlice: 320_000,
  slabPerSlice: 131_072,
  results: 3_000_000,
} as const;
