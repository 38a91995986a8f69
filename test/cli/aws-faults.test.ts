import { describe, expect, it } from 'vitest';
import { awsFault } from '../../cli/site/aws-faults.ts';
import { ConfigError, StorageError } from '../../core/errors.ts';

const named = (name: string, message = 'words of the SDK'): Error =>
  Object.assign(new Error(message), { name });
const coded = (code: string): Error => Object.assign(new Error('connect'), { code });

describe('awsFault', () => {
  it.each([
    [named('CredentialsProviderError'), /expected credentials of an AWS account/],
    [named('ExpiredTokenException'), /have expired/],
    [named('UnrecognizedClientException'), /have expired or are not known/],
    [named('Error', 'Region is missing'), /expected an AWS region/],
    [named('NoSuchBucket'), /--bucket and --region/],
  ])('calls %s a setting', (error, words) => {
    const fault = awsFault(error);
    expect(fault).toBeInstanceOf(ConfigError);
    expect(fault?.message).toMatch(words);
    expect(fault?.cause).toBe(error);
  });

  it.each([
    [named('AccessDenied'), /docs\/security\.md/],
    [coded('ENOTFOUND'), /Check the network/],
    [named('TimeoutError'), /Check the network/],
  ])('calls %s what is far away', (error, words) => {
    const fault = awsFault(error);
    expect(fault).toBeInstanceOf(StorageError);
    expect(fault?.message).toMatch(words);
  });

  it('names the profile that it was looked for by', () => {
    const fault = awsFault(named('CredentialsProviderError'), 'nope');
    expect(fault?.message).toMatch(/none that can be used, .* profile "nope" \(AWS_PROFILE\)/);
    expect(awsFault(named('NoSuchBucket'), 'nope')?.message).not.toContain('nope');
  });

  it('looks through what a store says, and keeps the object', () => {
    const stored = new StorageError(
      { code: 'no-permission', subject: 's3://b/k', expected: 'a', found: 'b', remedy: 'c' },
      { cause: named('AccessDenied') },
    );
    expect(awsFault(stored)?.fault.subject).toBe('s3://b/k');
  });

  it('leaves a defect of ours one', () => {
    expect(awsFault(new TypeError('x is not a function'))).toBeUndefined();
    expect(awsFault(named('ThrottlingException'))).toBeUndefined();
  });
});
