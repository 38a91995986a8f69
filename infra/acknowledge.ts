import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Rule ids without the packs' prefixes; each pack names the same concern in its own way. */
export function acknowledge(scope: IConstruct, reason: string, ...ids: readonly string[]): void {
  for (const id of ids) Validations.of(scope).acknowledge({ id, reason });
}
