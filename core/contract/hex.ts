/** Names that are hashes in lower-case hexadecimal. Schemas of them: core/contract/ids.ts. */

export const SHA256 = /^[0-9a-f]{64}$/;

/** Of a run, see `runId` in core/contract/keys.ts. */
export const RUN_ID = /^[0-9a-f]{16}$/;
