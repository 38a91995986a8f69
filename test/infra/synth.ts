import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks, HIPAASecurityChecks } from 'cdk-nag';
import { onTestFinished } from 'vitest';
import { SiteStack } from '../../infra/site-stack.ts';
import { Site } from '../../site/contract/config.ts';

const CDK_JSON = path.join(import.meta.dirname, '..', '..', 'cdk.json');

const imageOf = (name: string) => ({
  from: 'registry',
  uri: `123456789012.dkr.ecr.eu-central-1.amazonaws.com/sammix/${name}:1`,
});

/** What a test changes of a site whose images are in a registry. */
export const siteOf = (settings: object = {}): Site =>
  Site.parse({
    site: 'north',
    account: '123456789012',
    segmentImage: imageOf('segment'),
    training: { image: imageOf('train') },
    ...settings,
  });

/** An app with the project's feature flags and nag packs, as `cdk` runs it. */
export function newApp(): App {
  const { context } = JSON.parse(readFileSync(CDK_JSON, 'utf8'));
  const outdir = mkdtempSync(path.join(tmpdir(), 'sammix-synth-'));
  const app = new App({ context, outdir });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new HIPAASecurityChecks(app));
  return app;
}

/** A site's template. The app is not validated: one test does that, and it is slow. */
export function templateOf(settings: object = {}): Template {
  const app = newApp();
  const template = Template.fromStack(new SiteStack(app, siteOf(settings)));
  rmSync(app.outdir, { recursive: true, force: true });
  return template;
}

export function removeAfterTest(app: App): App {
  onTestFinished(() => rmSync(app.outdir, { recursive: true, force: true }));
  return app;
}
