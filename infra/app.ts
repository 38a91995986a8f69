import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks, HIPAASecurityChecks } from 'cdk-nag';
import { ConfigError } from '../core/errors.ts';
import { loadSite, siteFile } from '../site/site-file.ts';
import { SiteStack } from './site-stack.ts';

const app = new App();
try {
  new SiteStack(app, loadSite(siteFile(siteName())));
} catch (error) {
  // The file is the user's: its fault is told in a sentence, without our stack around it.
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`sammix: ${error.message}\n`);
  process.exit(2);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new HIPAASecurityChecks(app));

function siteName(): string {
  const name: unknown = app.node.tryGetContext('site');
  if (typeof name === 'string') return name;
  throw new ConfigError({
    code: 'no-site',
    subject: 'cdk',
    expected: 'the name of a site file in infra/sites, or the path of one',
    found: 'none',
    remedy: 'Run "npx cdk <command> -c site=<site>".',
  });
}
