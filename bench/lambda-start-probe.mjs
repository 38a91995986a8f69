// node lambda-start-probe.mjs FILE: imports a function and calls it with no message. Settings are read
// and clients made by then, and nothing goes over the network.
process.env = {
  ...process.env,
  NODE_NO_WARNINGS: '1',
  AWS_REGION: 'eu-central-1',
  SAMMIX_SITE: 'bench',
  SAMMIX_BUCKET: 'bench',
  SAMMIX_JOB_QUEUE: 'bench',
  SAMMIX_SEGMENT_JOB: 'bench',
  SAMMIX_EVALUATE_JOB: 'bench',
  SAMMIX_TRAIN_JOB: 'bench',
  SAMMIX_BUNDLE: 'active',
  SAMMIX_SLICES_PER_JOB: '1',
  SAMMIX_SLICES_PER_SLAB: '1',
  SAMMIX_CASES_PER_JOB: '1',
  SAMMIX_LEASE_SECONDS: '1',
  SAMMIX_GPU_PRICES: '{"g4dn.xlarge": {"onDemand": 1, "spot": 1}}',
  SAMMIX_BACKGROUND_QUEUE: 'bench',
  SAMMIX_RESULTS_QUEUE: 'bench',
  SAMMIX_FAILURES_QUEUE: 'bench',
  SAMMIX_EVALUATIONS_QUEUE: 'bench',
  SAMMIX_TRAININGS_QUEUE: 'bench',
  SAMMIX_DEADLINE_HOURS: '1',
  SAMMIX_EVALUATION_HOURS: '1',
  SAMMIX_TRAINING_HOURS: '1',
  SAMMIX_DATASETS: '[]',
  SAMMIX_JUDGE_TRAINED_ON: '',
  SAMMIX_TOPIC: 'bench',
  SAMMIX_PROMOTION_POLICY: '{}',
  SAMMIX_CANARY_CASES: '1',
};
const before = process.cpuUsage();
const startedMs = performance.now();
const { handler } = await import(process.argv[2]);
await handler({ Records: [] });
const { user, system } = process.cpuUsage(before);
const wallMs = performance.now() - startedMs;
console.log(`\n${JSON.stringify({ cpuMs: (user + system) / 1000, wallMs })}`);
