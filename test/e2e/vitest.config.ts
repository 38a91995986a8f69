import { defineConfig } from 'vitest/config';

/** One world (an emulator, two deployed sites) for all files, so one after the other. */
export default defineConfig({
  test: {
    // And what IAM, KMS and the endpoints decide, which the emulator does not ask: over the same templates.
    include: ['test/e2e/**/*.e2e.ts', 'test/infra/policy.test.ts'],
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 3_600_000,
  },
});
