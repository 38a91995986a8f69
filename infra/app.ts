import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks, HIPAASecurityChecks } from 'cdk-nag';
import { ConfigError } from '../core/errors.ts';
import { loadSite, siteFile } from '../site/site-file.ts';
import { SiteStack } from './site-stack.ts';

const app = new App();
const name: unknown = app.node.tryGetContext('site');
if (typeof name !== 'string')
  throw new ConfigError({
    code: 'no-site',
    subject: 'cdk',
    expected: 'the name of a site file in infra/sites, or the path of one',
    found: 'none',
    remedy: 'Run "npx cdk <command> -c site=<site>".',
  });
new SiteStack(app, loadSite(siteFile(name)));
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new HIPAASecurityChecks(app));
