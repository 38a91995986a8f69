import type { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, expect, it } from 'vitest';
import { cloudKeys, cloudRunKeys } from '../../site/contract/keys.ts';
import { templateOf } from './synth.ts';

interface ObjectRule {
  readonly EventPattern?: {
    readonly detail?: {
      readonly object?: { readonly key?: readonly { readonly wildcard?: string }[] };
    };
  };
}

let template: Template;
beforeAll(() => {
  template = templateOf();
}, 600_000);

it('DICOM-SEG begins with every pointer to a newest run, of any target, and with nothing else', () => {
  const rules = Object.entries(template.findResources('AWS::Events::Rule'));
  const [, { Properties }] = rules.find(([id]) => id.startsWith('DicomSeg'))! as [
    string,
    { readonly Properties: ObjectRule },
  ];
  const [one] = Properties.EventPattern!.detail!.object!.key!;
  // EventBridge: an asterisk stands for any characters, slashes among them.
  const pattern = new RegExp(`^${one!.wildcard!.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
  const keys = cloudRunKeys('liver', 's0123456789abcdef', '0123456789abcdef');
  for (const target of [undefined, 'spleen', 'left kidney'])
    expect(cloudKeys.latest('liver', 's0123456789abcdef', target)).toMatch(pattern);
  const others = [keys.report, keys.mask, keys.dicomSeg, cloudKeys.latestEvaluation('liver')];
  for (const key of others) expect(key).not.toMatch(pattern);
});
