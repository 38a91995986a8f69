import * as z from 'zod';
import { assertSegment } from '../../core/contract/keys.ts';
import { PromotionPolicy } from '../../core/contract/promotion.ts';
import { CANARY_DATASET } from './canary.ts';
import { targetKey } from './keys.ts';
import { GpuPrices } from './prices.ts';
import { BundleSetting } from './runs.ts';

/**
 * A site: one JSON file (`infra/sites/<site>.json`) that says how one hospital's deployment differs
 * from the defaults below. Numbers of the model (window, slice size, thresholds) are not here: they
 * belong to the bundle. `//` keys are comments and are ignored.
 */

const Segment = z.string().superRefine((value, context) => {
  try {
    assertSegment(value, 'a dataset name');
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const KmsKeyArn = z.string().regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[0-9a-f-]+$/);

/** Who holds the key that encrypts scans, masks, queues, logs and the alarm topic. */
const Encryption = z.discriminatedUnion('mode', [
  /** A new customer key that only this site uses (1 USD a month). */
  z.strictObject({ mode: z.literal('own-key') }),
  /** A key that the hospital already has; its policy must let the site's services use it. */
  z.strictObject({ mode: z.literal('existing-key'), keyArn: KmsKeyArn }),
]);

/** Where the GPU instances live. They need no way in and no internet. */
const Network = z.discriminatedUnion('mode', [
  /** Private subnets in a new VPC without NAT; AWS is reached through VPC endpoints. */
  z.strictObject({
    mode: z.literal('own-vpc'),
    cidr: z.string().default('10.70.0.0/20'),
    /** More zones find GPU capacity sooner. The paid endpoints stand in the first zone only. */
    availabilityZones: z.int().min(1).max(4).default(3),
  }),
  /** Private subnets that exist and reach S3, ECR, ECS and CloudWatch Logs (endpoints or NAT). */
  z.strictObject({
    mode: z.literal('existing-vpc'),
    vpcId: z.string().regex(/^vpc-[0-9a-f]+$/),
    subnetIds: z.array(z.string().regex(/^subnet-[0-9a-f]+$/)).min(1),
    availabilityZones: z.array(z.string()).min(1),
  }),
]);

/** The container image of a job. */
const Image = z.discriminatedUnion('from', [
  /** Built by `cdk deploy` on the machine that runs it (needs Docker or a compatible engine). */
  z.strictObject({ from: z.literal('dockerfile') }),
  /** Already in a registry that the GPU instances can reach. */
  z.strictObject({ from: z.literal('registry'), uri: z.string().min(1) }),
]);

/** As the bundle has it, and the labels' `dataset.json`. */
const TargetName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}$/, 'the name of an organ, at most 64 characters');

/** Further targets with their bundles: every upload is segmented for each of them too. */
const Targets = z
  .record(TargetName, BundleSetting)
  .refine(
    (targets) => new Set(Object.keys(targets).map(targetKey)).size === Object.keys(targets).length,
    { error: 'names that differ in more than spaces and capitals' },
  );

const Compute = z.strictObject({
  /** Instance types with one NVIDIA GPU, tried by Batch for price and capacity. */
  gpuInstanceTypes: z.array(z.string()).min(1).default(['g4dn.xlarge', 'g5.xlarge', 'g6.xlarge']),
  /** Ceiling of the spot part, in vCPUs (a GPU job takes `vcpusPerJob`). 0: never spot. */
  spotMaxVcpus: z.int().nonnegative().default(32),
  /** Ceiling of the on-demand part, used when the spot part is full. 0: never on demand. */
  onDemandMaxVcpus: z.int().nonnegative().default(16),
  vcpusPerJob: z.int().positive().default(4),
  /** Leaves room for the ECS agent on a 16 GiB instance. */
  memoryMiBPerJob: z.int().positive().default(14_000),
  /** Slices of one GPU job. Loading the model costs about as much as 150 slices on a T4. */
  slicesPerJob: z.int().positive().default(512),
  /** Slices of one slab: the unit of reading ahead and of resuming after a spot reclaim. */
  slicesPerSlab: z.int().positive().max(512).default(32),
  jobTimeoutMinutes: z.int().min(5).default(60),
  /** A job that finds no instance for so long is cancelled, and its case reported as failed. */
  runnableLimitMinutes: z.int().min(10).max(1440).default(120),
  /** Attempts of a job whose spot instance was reclaimed. */
  spotAttempts: z.int().min(1).max(10).default(5),
  /** A run whose job has not ended so long after the split is given up and reported as failed. */
  deadlineHours: z
    .int()
    .min(3)
    .max(14 * 24)
    .default(72),
  /** By instance type, where an hour costs another price than AWS lists (site/cost/list-prices.ts). */
  gpuPrices: GpuPrices.default({}),
});

/** The training job; it runs on the same queue and instances as segmentation. */
const Training = z.strictObject({
  /** `dockerfile` builds gpu-jobs/train; PyTorch with CUDA makes it some 9 GB. */
  image: Image.default({ from: 'dockerfile' }),
  vcpusPerJob: z.int().positive().default(4),
  memoryMiBPerJob: z.int().positive().default(14_000),
  /** Of one attempt; the next goes on from the last checkpoint. */
  timeoutHours: z.int().min(1).max(336).default(24),
  /** Attempts of a job whose spot instance was reclaimed. */
  spotAttempts: z.int().min(1).max(10).default(10),
});

const Outputs = z.strictObject({
  /** Masks and reports carry the free text of the input's header: description, file names, extensions. */
  headerText: z.boolean().default(false),
});

const Retention = z.strictObject({
  /** Days until an upload is removed; null keeps it. */
  incomingDays: z.int().positive().nullable().default(null),
  /** Days until masks and reports are removed; null keeps them. */
  casesDays: z.int().positive().nullable().default(null),
  /** Days until refused uploads are removed, whole scans among them; null: as long as uploads. */
  quarantineDays: z.int().positive().nullable().default(null),
  /** Days until evaluations and summaries are removed, which name cases; null: as long as reports. */
  evaluationsDays: z.int().positive().nullable().default(null),
  /** Days until training data are removed; null keeps them. */
  trainingDays: z.int().positive().nullable().default(null),
  /** Days for which slabs are kept; a label that comes later cannot be compared any more. */
  workDays: z.int().positive().default(30),
  /** Days for which overwritten and deleted versions can be brought back. */
  oldVersionsDays: z.int().positive().default(30),
  logDays: z.union([z.literal(30), z.literal(90), z.literal(365), z.literal(731)]).default(365),
});

/** Which classes of a dataset's labels are liver; set before labels are uploaded. */
export const LabelSettings = z.record(
  Segment,
  z
    .strictObject({
      values: z.array(z.int().nonnegative()).min(1).optional(),
      /** The same by its name in the dataset's dataset.json. */
      names: z.array(z.string().min(1)).min(1).optional(),
      /** No metric looks at these. */
      ignore: z.array(z.int().nonnegative()).optional(),
    })
    .refine(({ values, names }) => (values === undefined) !== (names === undefined), {
      error: 'either "values" or "names" says what is liver',
    }),
);
export type LabelSettings = z.infer<typeof LabelSettings>;

const ScheduleExpression = z.string().regex(/^(cron|rate)\(.+\)$/);

/** Measuring bundles on the labelled cases of the site's datasets. */
const EvaluationSettings = z.strictObject({
  /**
   * When datasets are evaluated (EventBridge Scheduler syntax, UTC); null: on demand only. Finished
   * predictions are used again, so a week without new labels or a new bundle costs no GPU time.
   */
  schedule: ScheduleExpression.nullable().default('cron(0 3 ? * SUN *)'),
  /** Which of the site's datasets; null: all. One without labels costs a listing. */
  datasets: z.array(Segment).min(1).nullable().default(null),
  /** Cases of one GPU job: the model is loaded once for them. */
  casesPerJob: z.int().min(1).max(1000).default(8),
  jobTimeoutMinutes: z.int().min(5).default(120),
  /** When a candidate bundle may replace the active one. */
  promotion: PromotionPolicy.prefault({}),
  /**
   * The held-out dataset on which a bundle from the training job is judged when it is ready, and
   * activated if the gate lets it; null: `sammix site promote` does so.
   */
  judgeTrainedOn: Segment.nullable().default(null),
  /** Synthetic scans sent through the site after every deployment and activation; 0: none. */
  canaryCases: z.int().min(0).max(8).default(2),
});

/** What the site may cost; AWS mails when the month's money is nearly gone, or will not do. */
const Budget = z.strictObject({
  usdPerMonth: z.number().positive(),
  /** Who is told; null: `alarmEmail`. AWS Budgets does not ask for a confirmation. */
  email: z.email().nullable().default(null),
  /**
   * `account` counts all that the account pays. `site` counts what bears the tag `sammix:site`, and
   * counts nothing until somebody has activated that tag for cost allocation.
   */
  counts: z.enum(['account', 'site']).default('account'),
});

export const Site = z
  .strictObject({
    /** Also the end of the stack's name and in the bucket's: sites can share an account and a region. */
    site: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,16}$/, 'at most 17 lower-case letters, digits and "-"'),
    /** Twelve digits; null takes the account of the credentials that deploy. */
    account: z
      .string()
      .regex(/^\d{12}$/)
      .nullable()
      .default(null),
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/)
      .default('eu-central-1'),
    /** Names of the folders under `incoming/` that are processed. */
    datasets: z.array(Segment).min(1).default(['liver']),
    /** What is liver in the labels of a dataset, where they hold more than that. */
    labels: LabelSettings.default({}),
    /** `active` follows `models/active.json` (promotion without a deploy); a prefix pins one. */
    bundle: BundleSetting.default('active'),
    /** `{"spleen": "active"}` follows `models/active/spleen.json`. */
    targets: Targets.default({}),
    compute: Compute.prefault({}),
    segmentImage: Image.default({ from: 'dockerfile' }),
    evaluation: EvaluationSettings.prefault({}),
    /** null: this site does not train; requests are refused with that reason. */
    training: Training.nullable().prefault({}),
    encryption: Encryption.default({ mode: 'own-key' }),
    network: Network.prefault({ mode: 'own-vpc' }),
    outputs: Outputs.prefault({}),
    retention: Retention.prefault({}),
    /** Receives the alarms; AWS asks the address to confirm. null: alarms on the dashboard only. */
    alarmEmail: z.email().nullable().default(null),
    /** null: none. */
    budget: Budget.nullable().default(null),
    /** When the datasets' summaries are made (EventBridge Scheduler syntax, UTC); null: never. */
    summarySchedule: z
      .string()
      .regex(/^(cron|rate)\(.+\)$/)
      .nullable()
      .default('cron(0 4 * * ? *)'),
    /** Written on every resource, e.g. a cost centre. */
    tags: z.record(z.string(), z.string()).default({}),
  })
  .refine((site) => site.compute.spotMaxVcpus + site.compute.onDemandMaxVcpus > 0, {
    path: ['compute', 'onDemandMaxVcpus'],
    message: 'spotMaxVcpus or onDemandMaxVcpus above 0: otherwise no job can ever run',
  })
  .refine(({ budget, alarmEmail }) => budget === null || (budget.email ?? alarmEmail) !== null, {
    path: ['budget', 'email'],
    message: 'an address, or an "alarmEmail": otherwise the budget tells nobody',
  })
  .refine(({ datasets }) => !datasets.includes(CANARY_DATASET), {
    path: ['datasets'],
    message: `another name than "${CANARY_DATASET}", which belongs to the canary`,
  })
  .refine(
    ({ datasets, evaluation }) =>
      [evaluation.datasets ?? [], evaluation.judgeTrainedOn ?? []]
        .flat()
        .every((name) => datasets.includes(name)),
    { path: ['evaluation'], message: 'only datasets of the site' },
  );
export type Site = z.infer<typeof Site>;

/** Of the CloudFormation stack that a site is deployed as. */
export const stackName = (site: string): string => `sammix-${site}`;

/** Of the monthly budget in AWS Budgets, whose names are the account's. */
export const budgetName = (site: string): string => `${stackName(site)}-monthly`;

/** What the stack says of itself to whoever uses it: the command line finds the bucket by it. */
export const OUTPUT = { bucket: 'Bucket', jobQueue: 'JobQueue' } as const;

/** Drops `//` comment keys at every level, so that a site file can explain itself. */
export function withoutComments(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutComments);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !key.startsWith('//'))
      .map(([key, entry]) => [key, withoutComments(entry)]),
  );
}
