import { ConfigError, type Fault, StorageError } from '../../core/errors.ts';

type Told = Omit<Fault, 'code' | 'subject'>;

const CREDENTIALS: Told = {
  expected: 'credentials of an AWS account',
  found: 'none that can be used',
  remedy:
    'Sign in ("aws sso login" or "aws configure"), or name a profile of ~/.aws/config in AWS_PROFILE.',
};
const EXPIRED: Told = {
  expected: 'credentials that are valid now',
  found: 'credentials that have expired or are not known to AWS',
  remedy: 'Sign in again ("aws sso login"), and check AWS_PROFILE and the clock of this machine.',
};
const REGION: Told = {
  expected: 'an AWS region',
  found: 'none',
  remedy: 'Name it by --region, in the site file (infra/sites), or in AWS_REGION.',
};
const DENIED: Told = {
  expected: 'the permission for this call',
  found: 'a refusal',
  remedy:
    'docs/security.md lists what each role needs. Whoever may not read the stack names the bucket by --bucket.',
};
const NO_BUCKET: Told = {
  expected: "the site's bucket",
  found: 'none of that name',
  remedy: 'Check --bucket and --region, and that the credentials are of the account of the site.',
};
const OFFLINE: Told = {
  expected: 'a connection to AWS',
  found: 'none',
  remedy: 'Check the network, the proxy and the region, and try again.',
};

/** By the name of the SDK's error, or the code of Node's; what is wrong here first, then what is far away. */
const SETTINGS: Readonly<Record<string, Told>> = {
  CredentialsProviderError: CREDENTIALS,
  TokenProviderError: CREDENTIALS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  InvalidAccessKeyId: EXPIRED,
  InvalidClientTokenId: EXPIRED,
  InvalidToken: EXPIRED,
  UnrecognizedClientException: EXPIRED,
  SignatureDoesNotMatch: EXPIRED,
  RequestTimeTooSkewed: EXPIRED,
  RequestExpired: EXPIRED,
  NoSuchBucket: NO_BUCKET,
  PermanentRedirect: NO_BUCKET,
};
const FAR_AWAY: Readonly<Record<string, Told>> = {
  AccessDenied: DENIED,
  AccessDeniedException: DENIED,
  Forbidden: DENIED,
  UnauthorizedOperation: DENIED,
  ENOTFOUND: OFFLINE,
  EAI_AGAIN: OFFLINE,
  ECONNREFUSED: OFFLINE,
  ECONNRESET: OFFLINE,
  ENETUNREACH: OFFLINE,
  EHOSTUNREACH: OFFLINE,
  ETIMEDOUT: OFFLINE,
  TimeoutError: OFFLINE,
};

/**
 * What a person can do about an error of AWS or of the way there: no credentials, no region, no network, no
 * permission. Undefined for anything else. Looks through the causes, since a store names the object first.
 *
 * @param profile by which the credentials were looked for; undefined for the default one
 */
export function awsFault(
  error: unknown,
  profile = process.env.AWS_PROFILE,
): ConfigError | StorageError | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; depth++) {
    const { code } = cause as NodeJS.ErrnoException;
    const names = [cause.name, code ?? ''];
    if (/region is missing/i.test(cause.message)) return new ConfigError(told(REGION), { cause });
    const setting = names.map((name) => SETTINGS[name]).find(Boolean);
    if (setting) return new ConfigError(told(ofProfile(setting, profile)), { cause });
    const far = names.map((name) => FAR_AWAY[name]).find(Boolean);
    if (far) return new StorageError(told(far, subjectOf(error)), { cause });
    cause = (cause as { cause?: unknown }).cause as Error;
  }
  return undefined;
}

/** A mistyped profile looks like missing credentials. */
const ofProfile = (fault: Told, profile: string | undefined): Told =>
  profile !== undefined && (fault === CREDENTIALS || fault === EXPIRED)
    ? { ...fault, found: `${fault.found}, looked for by the profile "${profile}" (AWS_PROFILE)` }
    : fault;

const told = (fault: Told, subject = 'AWS'): Fault => ({ code: 'aws', subject, ...fault });

/** The object that was asked for, where the store has named it. */
const subjectOf = (error: unknown): string | undefined =>
  error instanceof StorageError ? error.fault.subject : undefined;
