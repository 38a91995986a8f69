import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { RETRIES } from '../../../adapters/aws-clients.ts';
import type { Site } from '../../../site/contract/config.ts';
import type { AccountFacts, KeyFacts } from '../../../site/doctor/facts.ts';
import type { Asked } from '../../../site/doctor/finding.ts';
import { gpuQuotas, type Quota, VPCS } from '../../../site/doctor/quotas.ts';
import { ask, orNone } from './ask.ts';
import { askNetwork } from './ask-network.ts';

const run = promisify(execFile);

/** ECS's list of its newest machine images with GPU support, as `infra/instance.ts` takes them. */
const NEWEST_IMAGE = '/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended';

const BOOTSTRAP_PARAMETER = '/cdk-bootstrap/hnb659fds/version';

/** Reads of an account and of this machine; nothing is changed. */
export async function askAccount(site: Site, isDeployed: boolean): Promise<AccountFacts> {
  const at = { region: site.region, ...RETRIES };
  const quotas = [...gpuQuotas(site).map(({ quota }) => quota), VPCS];
  const [identity, bootstrap, newestImage, concurrency, key, docker, network, ...limits] =
    await Promise.all([
      ask('sts:GetCallerIdentity', () => callerIdentity(at)),
      ask('ssm:GetParameter', () => bootstrapVersion(at)),
      ask('ssm:GetParameter', () => newestGpuImage(at)),
      ask('lambda:GetAccountSettings', () => functionCalls(at)),
      ask('kms:DescribeKey and kms:GetKeyPolicy', () => keyOf(site, at)),
      engineVersion(),
      askNetwork(site, isDeployed, at),
      ...quotas.map((quota) =>
        ask('servicequotas:GetServiceQuota and servicequotas:GetAWSDefaultServiceQuota', () =>
          quotaOf(quota, at),
        ),
      ),
    ]);
  return {
    identity,
    bootstrap,
    newestImage,
    concurrency,
    key,
    docker,
    ...network,
    quotas: new Map(
      quotas.map(({ code }, index): [string, Asked<number>] => [code, limits[index]!]),
    ),
  };
}

export type At = { readonly region: string } & typeof RETRIES;

async function callerIdentity(at: At): Promise<{ account: string; arn: string }> {
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const { Account, Arn } = await new STSClient(at).send(new GetCallerIdentityCommand({}));
  return { account: Account ?? '', arn: Arn ?? '' };
}

async function parameter(name: string, at: At): Promise<string | null> {
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm');
  return orNone(['ParameterNotFound'], async () => {
    const { Parameter } = await new SSMClient(at).send(new GetParameterCommand({ Name: name }));
    return Parameter?.Value ?? null;
  });
}

async function bootstrapVersion(at: At): Promise<number | null> {
  const version = await parameter(BOOTSTRAP_PARAMETER, at);
  return version === null ? null : Number(version);
}

async function newestGpuImage(at: At): Promise<{ id: string; name: string } | null> {
  const id = await parameter(`${NEWEST_IMAGE}/image_id`, at);
  return id === null
    ? null
    : { id, name: (await parameter(`${NEWEST_IMAGE}/image_name`, at)) ?? 'without a name' };
}

async function functionCalls(at: At): Promise<{ limit: number; unreserved: number }> {
  const { GetAccountSettingsCommand, LambdaClient } = await import('@aws-sdk/client-lambda');
  const { AccountLimit } = await new LambdaClient(at).send(new GetAccountSettingsCommand({}));
  return {
    limit: AccountLimit?.ConcurrentExecutions ?? 0,
    unreserved: AccountLimit?.UnreservedConcurrentExecutions ?? 0,
  };
}

/** The value that was granted, or AWS's default where nobody has ever asked for another. */
async function quotaOf({ service, code }: Quota, at: At): Promise<number> {
  const quotas = await import('@aws-sdk/client-service-quotas');
  const client = new quotas.ServiceQuotasClient(at);
  const which = { ServiceCode: service, QuotaCode: code };
  const applied = await orNone(['NoSuchResourceException'], () =>
    client.send(new quotas.GetServiceQuotaCommand(which)),
  );
  const found = applied ?? (await client.send(new quotas.GetAWSDefaultServiceQuotaCommand(which)));
  if (found.Quota?.Value === undefined) throw new Error(`Service Quotas gave no value of ${code}`);
  return found.Quota.Value;
}

async function keyOf({ encryption }: Site, at: At): Promise<KeyFacts | null> {
  if (encryption.mode === 'own-key') return null;
  const kms = await import('@aws-sdk/client-kms');
  const client = new kms.KMSClient(at);
  const KeyId = encryption.keyArn;
  return orNone(['NotFoundException'], async () => {
    const { KeyMetadata } = await client.send(new kms.DescribeKeyCommand({ KeyId }));
    const { Policy } = await client.send(
      new kms.GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }),
    );
    return {
      arn: KeyMetadata?.Arn ?? KeyId,
      state: KeyMetadata?.KeyState ?? 'unknown',
      spec: KeyMetadata?.KeySpec ?? 'unknown',
      usage: KeyMetadata?.KeyUsage ?? 'unknown',
      policy: Policy ?? '{"Statement":[]}',
    };
  });
}

/** Of what `cdk deploy` builds images with. */
async function engineVersion(): Promise<string | null> {
  try {
    const engine = process.env.CDK_DOCKER ?? 'docker';
    const { stdout } = await run(engine, ['version', '--format', '{{.Server.Version}}'], {
      timeout: 10_000,
    });
    return stdout.trim() || null;
  } catch {
    return null;
  }
}
