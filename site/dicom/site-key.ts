import { readSecret } from '../../adapters/secrets.ts';
import { ConfigError } from '../../core/errors.ts';
import { DICOM_KEY_BYTES } from '../contract/dicom.ts';

/**
 * The key that names cases, as the stack has drawn it: hexadecimal digits.
 *
 * @param arn of the secret
 * @throws ConfigError `bad-dicom-key`
 */
export async function readSiteKey(arn: string): Promise<Uint8Array> {
  const text = await readSecret(arn);
  if (new RegExp(`^[0-9a-f]{${2 * DICOM_KEY_BYTES}}$`).test(text)) return Buffer.from(text, 'hex');
  throw new ConfigError({
    code: 'bad-dicom-key',
    subject: "the secret with the site's DICOM key",
    expected: `${2 * DICOM_KEY_BYTES} hexadecimal digits in lower case`,
    found: `another text of ${text.length} characters`,
    remedy: 'Put the value back that it had: cases are named by it.',
  });
}
