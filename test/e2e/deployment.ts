import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ACCOUNT, type Emulator, ROOT, SEGMENT_IMAGE, TRAIN_IMAGE } from './emulator.ts';

const run = promisify(execFile);

export const REGION = 'us-east-1';

const ZONES = ['a', 'b', 'c'].map((letter) => REGION + letter);

/** Runs the real `cdk` command against the emulator, from a folder outside the checkout. */
export class Deployment {
  private readonly folder: string;
  private readonly environment: NodeJS.ProcessEnv;

  private constructor(folder: string, emulator: Emulator) {
    this.folder = folder;
    this.environment = {
      ...process.env,
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY,
      NODE_NO_WARNINGS: '1',
    };
  }

  static async open(emulator: Emulator): Promise<Deployment> {
    const folder = path.join(emulator.work, 'cdk');
    await mkdir(folder, { recursive: true });
    const { context } = JSON.parse(readFileSync(path.join(ROOT, 'cdk.json'), 'utf8'));
    const tsx = path.join(ROOT, 'node_modules', '.bin', 'tsx');
    const app = `${tsx} ${path.join(ROOT, 'infra', 'app.ts')}`;
    // Looked up once for the lifetime of a checkout; given here, so that each site is synthesised once.
    const zones = { [`availability-zones:account=${ACCOUNT}:region=${REGION}`]: ZONES };
    const settings = { app, context: { ...context, ...zones } };
    await writeFile(path.join(folder, 'cdk.json'), JSON.stringify(settings));
    return new Deployment(folder, emulator);
  }

  async bootstrap(): Promise<void> {
    // From a folder without an app: the account and region are given, so none need be synthesised.
    const empty = path.join(this.folder, 'empty');
    await mkdir(empty, { recursive: true });
    await this.cdk(['bootstrap', `aws://${ACCOUNT}/${REGION}`], empty);
  }

  async deploy(site: string, settings: object, method: readonly string[] = []): Promise<void> {
    await this.writeSite(site, settings);
    await this.cdk(['deploy', ...this.of(site), '--require-approval', 'never', ...method]);
  }

  async writeSite(site: string, settings: object): Promise<void> {
    const own = {
      site,
      account: ACCOUNT,
      region: REGION,
      segmentImage: { from: 'registry', uri: SEGMENT_IMAGE },
      training: { image: { from: 'registry', uri: TRAIN_IMAGE } },
      // Its scans would count among the site's; evaluation.e2e.ts has one.
      evaluation: { canaryCases: 0 },
      ...settings,
    };
    await writeFile(this.siteFile(site), JSON.stringify(own));
  }

  /** With other settings; without a change set, because moto makes none for a stack that is there. */
  redeploy(site: string, settings: object): Promise<void> {
    return this.deploy(site, settings, ['--method', 'direct']);
  }

  async destroy(site: string): Promise<void> {
    await this.cdk(['destroy', `sammix-${site}`, '--app', this.assembly(site), '--force']);
  }

  /** The templates that were deployed. */
  templates(): string[] {
    return ['north', 'south'].map((site) =>
      path.join(this.assembly(site), `sammix-${site}.template.json`),
    );
  }

  private of(site: string): string[] {
    return ['-c', `site=${this.siteFile(site)}`, '--output', this.assembly(site)];
  }

  /** The file of a site that was deployed, or is about to be. */
  siteFile(site: string): string {
    return path.join(this.folder, `${site}.json`);
  }

  private assembly(site: string): string {
    return path.join(this.folder, `out-${site}`);
  }

  private async cdk(words: readonly string[], cwd = this.folder): Promise<void> {
    const cdk = path.join(ROOT, 'node_modules', '.bin', 'cdk');
    await run(cdk, [...words], { cwd, env: this.environment, maxBuffer: 64 * 2 ** 20 });
  }
}
