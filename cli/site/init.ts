import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../../core/errors.ts';
import { Site } from '../../site/contract/config.ts';
import { SITE_FILES } from '../../site/site-file.ts';
import { ok, report, withOutput } from '../command.ts';

/** `sammix site init` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<site>', 'name of the site')
    .option('-d, --dir <dir>', 'folder of site files', SITE_FILES)
    .action(async (name: string, options: { readonly dir: string }) => {
      const file = path.join(options.dir, `${name}.json`);
      await report(command, async () =>
        ok(
          await initSite(name, file),
          `wrote ${file}\nnext: edit it, then npx cdk deploy -c site=${name}`,
        ),
      );
    });
}

/** Comments of the starting file, one for each field that a site is likely to change. */
const COMMENTS: Readonly<Partial<Record<keyof Site, string>>> = {
  site: 'At most 17 lower-case letters, digits and "-". Part of the names of the stack and bucket.',
  account: 'Twelve digits. null: the account of the credentials that deploy.',
  region: 'Where the scans stay.',
  datasets: 'Folders below incoming/ that are processed: incoming/<dataset>/images/<file>.',
  bundle: '"active": the registered bundle that was activated last. Or a prefix below models/.',
  targets:
    'Further organs: {"spleen": "active"} segments every upload for the spleen too, with the bundle that was activated for it.',
  compute: 'vCPU ceilings limit the cost; a job takes vcpusPerJob of them and one GPU.',
  evaluation:
    'When labelled datasets are measured (UTC; null: on demand), what a new bundle must show to replace the active one, and the canary (canaryCases 0: none). docs/deploy.md explains each.',
  segmentImage: '{"from": "dockerfile"} or {"from": "registry", "uri": "..."}.',
  training: 'The training job. null: this site does not train, and its image is not built.',
  encryption: '{"mode": "own-key"} or {"mode": "existing-key", "keyArn": "..."}.',
  network:
    '"own-vpc" without internet, or "existing-vpc" with vpcId, subnetIds, availabilityZones.',
  outputs:
    'headerText: whether masks and reports carry free text of the scans, which may name somebody.',
  retention: 'Days; null keeps. A label is compared if it comes within workDays of its image.',
  alarmEmail: 'Address for alarms; AWS asks it to confirm.',
  budget: '{"usdPerMonth": 200}: a mail at 80 and 100 %. "counts": "account" (default) or "site".',
  summarySchedule: 'UTC, EventBridge syntax: when summaries/<dataset>/ is written. null: never.',
  tags: 'Written on every resource, e.g. {"cost-centre": "radiology"}.',
};

/**
 * Writes a site file with every field at its default and a comment above it.
 *
 * @throws ConfigError where the name cannot be a site's, or the file exists
 */
export async function initSite(site: string, file: string): Promise<Site> {
  const parsed = Site.safeParse({ site });
  if (!parsed.success) throw badName(site, parsed.error.issues[0]?.message ?? 'a valid name');
  const commented: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(parsed.data)) {
    const comment = COMMENTS[field as keyof Site];
    if (comment !== undefined) commented[`// ${field}`] = comment;
    commented[field] = value;
  }
  try {
    await writeFile(file, `${JSON.stringify(commented, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
  return parsed.data;
}

const badName = (site: string, expected: string): ConfigError =>
  new ConfigError({
    code: 'bad-site-name',
    subject: 'the name of the site',
    expected,
    found: JSON.stringify(site),
    remedy: 'Choose another name.',
  });

const cannotWrite = (file: string, cause: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'site-file-not-written',
      subject: file,
      expected: 'a new file in a folder that can be written',
      found:
        (cause as NodeJS.ErrnoException).code === 'EEXIST' ? 'one that exists' : 'no such folder',
      remedy: 'Edit the existing file, or choose another name.',
    },
    { cause },
  );
