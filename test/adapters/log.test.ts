import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createLog } from '../../adapters/log.ts';
import { BundleError, InputError } from '../../core/errors.ts';
import { createMetrics } from '../../site/metrics.ts';

const PATIENT = 'Mueller-1957';

function logged(write: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  write(createLog('split', 'north', (line) => lines.push(line)));
  return lines;
}

describe('createLog', () => {
  it('writes one JSON object a line, with the fields that were bound', () => {
    const [line] = logged((log) => log.with({ runId: 'r1' }).info('submitted', { count: 3 }));
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 'info',
      service: 'split',
      site: 'north',
      event: 'submitted',
      runId: 'r1',
      count: 3,
    });
  });

  it('says what failed without the words of the error, which may name a patient', () => {
    const cause = new Error(`cannot open ${PATIENT}.nii.gz`);
    const fault = {
      code: 'truncated-gzip',
      subject: `${PATIENT}.nii.gz`,
      expected: 'a gzip file',
      found: PATIENT,
      remedy: 'Upload it again.',
    };
    const [line] = logged((log) => log.error('failed', new InputError(fault, { cause })));
    expect(line).not.toContain(PATIENT);
    expect(JSON.parse(line ?? '').error).toMatchObject({
      name: 'InputError',
      code: 'truncated-gzip',
      cause: { name: 'Error', at: expect.arrayContaining([expect.stringContaining('log.test')]) },
    });
  });

  it('names the fields of a record that has another form', () => {
    const { error } = z.object({ runId: z.string() }).safeParse({ runId: 1 });
    const [line] = logged((log) => log.error('failed', error));
    expect(JSON.parse(line ?? '').error.fields).toEqual(['runId']);
  });
});

describe('createMetrics', () => {
  it('writes what CloudWatch documents as the embedded metric format', () => {
    const lines: string[] = [];
    createMetrics('north', (line) => lines.push(line))({ CasesReported: 1, GpuSeconds: 12.5 });
    const record = JSON.parse(lines[0] ?? '');
    expect(record).toMatchObject({ Site: 'north', CasesReported: 1, GpuSeconds: 12.5 });
    expect(record._aws.CloudWatchMetrics).toEqual([
      {
        Namespace: 'Sammix',
        Dimensions: [['Site']],
        Metrics: [
          { Name: 'CasesReported', Unit: 'Count' },
          { Name: 'GpuSeconds', Unit: 'Seconds' },
        ],
      },
    ]);
    expect(record._aws.Timestamp).toBeTypeOf('number');
  });
});

describe('the text of an error', () => {
  const logged = (cause: unknown) => {
    const lines: string[] = [];
    createLog('test', 'north', (line) => lines.push(line)).error('failed', cause);
    return JSON.parse(lines[0]!).error;
  };

  it('is logged where it says what is wrong with the site, and where AWS finds the call', () => {
    expect(logged(new Error('Region is missing'))).toMatchObject({ message: 'Region is missing' });
    const fault = {
      code: 'no-backend',
      subject: 'b',
      expected: 'e',
      found: 'libcublas',
      remedy: 'r',
    };
    expect(logged(new BundleError(fault)).message).toContain('libcublas');
    const refused = Object.assign(new Error('AccessDenied: arn:aws:s3:::bucket/Mueller.nii'), {
      $metadata: { httpStatusCode: 403, requestId: 'R1' },
    });
    expect(logged(refused)).toMatchObject({ status: 403, requestId: 'R1' });
    expect(JSON.stringify(logged(refused))).not.toContain('Mueller');
  });

  it('is not logged where it could name a file', () => {
    const fault = {
      code: 'truncated',
      subject: 'Mueller.nii',
      expected: 'e',
      found: 'f',
      remedy: 'r',
    };
    for (const cause of [
      new InputError(fault),
      new Error('Mueller.nii is broken'),
      new ConfigErrorLike(),
    ])
      expect(JSON.stringify(logged(cause))).not.toContain('Mueller');
  });
});

class ConfigErrorLike extends Error {
  override readonly name = 'ConfigError';
  override readonly message = 'Mueller.nii';
}
