import type { Machine } from '../../core/contract/report.ts';
import type { Asked } from './finding.ts';

/** What the doctor asks of an account before a site is deployed there. Regional unless said otherwise. */
export interface AccountFacts {
  readonly identity: Asked<{ readonly account: string; readonly arn: string }>;
  /** Of CDK's bootstrap stack; null where there is none. */
  readonly bootstrap: Asked<number | null>;
  /** Applied values by quota code, of those in `quotas.ts` that the site needs. */
  readonly quotas: ReadonlyMap<string, Asked<number>>;
  /** Function calls at once: of the account, and what no function has reserved of it. */
  readonly concurrency: Asked<{ readonly limit: number; readonly unreserved: number }>;
  /** Names of the zones in the order in which CDK takes them. */
  readonly zones: Asked<readonly string[]>;
  /** Zones by instance type. */
  readonly offerings: Asked<ReadonlyMap<string, readonly string[]>>;
  /** Zones by the short name of an endpoint service (`ecr.api`). */
  readonly endpointServices: Asked<ReadonlyMap<string, readonly string[]>>;
  /** Null where the site's own is among them. */
  readonly vpcs: Asked<number | null>;
  /** The site's subnets, where it uses a network that exists; null where one of them does not. */
  readonly subnets: Asked<readonly Subnet[] | null>;
  /** The site's key, where it uses one that exists; null where there is none such. */
  readonly key: Asked<KeyFacts | null>;
  /** Version of the container engine on this machine; null where none answers. */
  readonly docker: string | null;
  /** The machine image that a deployment would take now; null where the region has none. */
  readonly newestImage: Asked<{ readonly id: string; readonly name: string } | null>;
}

export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  readonly zone: string;
}

export interface KeyFacts {
  readonly arn: string;
  /** KMS's own word: `Enabled`, `Disabled`, `PendingDeletion`, ... */
  readonly state: string;
  /** `SYMMETRIC_DEFAULT` and `ENCRYPT_DECRYPT` are what services can use. */
  readonly spec: string;
  readonly usage: string;
  /** JSON. */
  readonly policy: string;
}

/** What the doctor asks of a deployed site. */
export interface DeploymentFacts {
  readonly stack: StackFacts;
  readonly environments: Asked<readonly EnvironmentFacts[]>;
  readonly queues: Asked<readonly QueueFacts[]>;
  /** When the machine images of the environments were made; null where one is gone. */
  readonly images: Asked<readonly { readonly id: string; readonly createdAt: string | null }[]>;
  readonly subscriptions: Asked<
    readonly { readonly address: string; readonly confirmed: boolean }[]
  >;
  /** Null where there is no such budget. */
  readonly budget: Asked<{ readonly usdPerMonth: number; readonly spentUsd: number } | null>;
  readonly canary: Asked<readonly CanaryScan[]>;
  /** Of each further target of the site file: what is wrong with its bundle; null where nothing is. */
  readonly targets: Asked<readonly { readonly target: string; readonly fault: string | null }[]>;
  /** The newest run that a GPU job ended; null where there is none yet. */
  readonly lastRun: Asked<RunFacts | null>;
}

export interface StackFacts {
  readonly name: string;
  readonly status: string;
  readonly changedAt: string;
}

export interface EnvironmentFacts {
  readonly name: string;
  /** `ENABLED` or `DISABLED`. */
  readonly state: string;
  /** `VALID`, `INVALID`, or on its way. */
  readonly status: string;
  readonly statusReason: string;
}

export interface QueueFacts extends EnvironmentFacts {
  /** Of the first job that waits for an instance: its id and, where Batch says one, why. */
  readonly waiting: {
    readonly jobId: string;
    readonly reason: string;
    readonly since: string;
  } | null;
}

export interface CanaryScan {
  readonly caseId: string;
  readonly uploadedAt: string;
  readonly verdict: 'as-before' | 'differs' | 'failed' | 'not-compared';
}

export interface RunFacts {
  readonly runId: string;
  readonly reportedAt: string;
  readonly backends: readonly string[];
  readonly machines: readonly Machine[];
}
