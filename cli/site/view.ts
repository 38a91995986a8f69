import { deflateRawSync } from 'node:zlib';
import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { runKeys } from '../../core/contract/keys.ts';
import {
  type ViewCase,
  ViewedReport,
  type ViewIndex,
  type ViewVolume,
  viewFacts,
} from '../../core/contract/view.ts';
import { ConfigError } from '../../core/errors.ts';
import { byText } from '../../core/evaluation/patients.ts';
import { getJson } from '../../core/json.ts';
import { counted } from '../../core/page/format.ts';
import { cloudKeys, versionIdOf } from '../../site/contract/keys.ts';
import type { LatestPointer } from '../../site/contract/runs.ts';
import { newestOfCases } from '../../site/latest.ts';
import { readLabelPointer, readRun } from '../../site/runs.ts';
import { type ViewerPage, viewerPage } from '../../viewer/build.ts';
import { ok, report } from '../command.ts';
import { texts } from '../labels.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';
import { otherRuns, refuseWithoutOthers } from './other-runs.ts';

/** `sammix site view` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .argument('[cases...]', 'cases (default: the newest of the dataset)')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option(
      '--other <run>',
      'further masks to compare with: "all" runs of the same scan, or the id of one (repeatable)',
      texts,
    )
    .option('--minutes <n>', 'how long the address works, 1 to 720', Number, 15)
    .action(async (name: string, cases: string[], options: SiteOptions & SiteViewOptions) => {
      await report(command, async () => {
        const [site, page] = await Promise.all([openSite(name, options), viewerPage()]);
        const view = await viewSite(site, page, cases, options);
        return ok(view, siteViewText(view));
      });
    });
}

export interface SiteViewOptions {
  readonly dataset: string;
  readonly minutes: number;
  /** `all`, or ids of runs whose masks are compared with. */
  readonly other?: readonly string[];
}

export interface SiteView {
  /** Whoever has it can look until then. */
  readonly url: string;
  readonly expiresAt: string;
  readonly cases: readonly string[];
  /** Cases of the dataset that the address has no room for. */
  readonly leftOut: number;
}

/** Six addresses a case make about a kilobyte, deflated. */
const MOST_CASES = 40;

/** What browsers, terminals and mail programs pass on unharmed is 64 kB. */
const MOST_CHARACTERS = 60_000;

const LONGEST_MINUTES = 12 * 60;

/**
 * Makes an address of the viewer in the site's own bucket, with cases in its fragment. Page and volumes
 * come from one origin by presigned addresses: nothing is public, no server and no CORS rule is needed,
 * and the fragment is sent to nobody. The page is uploaded where the bucket does not have it yet.
 *
 * @param caseIds empty for the newest of the dataset
 * @throws ConfigError (`no-such-case`, `no-other-run`, `bad-minutes`), StorageError
 */
export async function viewSite(
  store: S3Store,
  page: ViewerPage,
  caseIds: readonly string[],
  options: SiteViewOptions,
): Promise<SiteView> {
  const { dataset, minutes, other = [] } = options;
  if (!(minutes >= 1 && minutes <= LONGEST_MINUTES)) throw badMinutes(minutes);
  const seconds = Math.round(minutes * 60);
  const expiresAt = new Date(Date.now() + seconds * 1000).toISOString();
  const found = await findCases(store, dataset, caseIds);
  const signer = new Signer(store, seconds);
  const cases: ViewCase[] = [];
  for (const one of found.slice(0, MOST_CASES))
    cases.push(await viewCase(store, signer, options, one));
  refuseWithoutOthers(other, cases);
  const address = await signer.address(await uploadedPage(store, page));
  const { fragment, shown } = fittingIndex({
    schemaVersion: 1,
    title: dataset,
    expiresAt,
    cases,
  });
  return {
    url: `${address}#index=${fragment}`,
    expiresAt,
    cases: shown.map(({ caseId }) => caseId),
    leftOut: found.length - shown.length,
  };
}

/** As many of the cases, from the first, as an address has room for. */
function fittingIndex(index: ViewIndex): {
  readonly fragment: string;
  readonly shown: readonly ViewCase[];
} {
  for (let count = index.cases.length; ; count--) {
    const shown = index.cases.slice(0, count);
    const json = JSON.stringify({ ...index, cases: shown });
    const fragment = deflateRawSync(json, { level: 9 }).toString('base64url');
    if (count === 1 || fragment.length <= MOST_CHARACTERS) return { fragment, shown };
  }
}

export function siteViewText({ url, expiresAt, cases, leftOut }: SiteView): string {
  const more = leftOut === 0 ? '' : ` (the newest; ${leftOut} more: name them)`;
  return `${counted(cases.length, 'case')}${more} until ${expiresAt}. Whoever has this address can look:\n${url}`;
}

/** By its content: a page that is there is the right one, and other versions stay beside it. */
async function uploadedPage(store: S3Store, { html, sha256 }: ViewerPage): Promise<string> {
  const key = cloudKeys.viewerPage(sha256);
  if (!(await store.stat(key))) await store.put(key, html, 'text/html; charset=utf-8');
  return key;
}

class Signer {
  private readonly store: S3Store;
  private readonly seconds: number;

  constructor(store: S3Store, seconds: number) {
    this.store = store;
    this.seconds = seconds;
  }

  address(key: string, version?: string): Promise<string> {
    return this.store.presign(key, this.seconds, version);
  }

  async volume(key: string, name: string, version?: string): Promise<ViewVolume> {
    return { url: await this.address(key, version), name };
  }
}

interface FoundCase {
  readonly caseId: string;
  readonly latest: LatestPointer;
  /** The case's other targets that were segmented. */
  readonly beside: readonly LatestPointer[];
}

/** Newest first. */
async function findCases(
  store: S3Store,
  dataset: string,
  caseIds: readonly string[],
): Promise<FoundCase[]> {
  const found: FoundCase[] = [];
  const wanted = caseIds.length === 0 ? [undefined] : caseIds;
  for (const named of wanted) {
    const before = found.length;
    for await (const { caseId, ended } of newestOfCases(store, dataset, named))
      for (const latest of ended) {
        const others = ended.filter((one) => one !== latest && one.status === 'segmented');
        found.push({ caseId, latest, beside: others });
      }
    if (found.length === before) throw noCase(dataset, named);
  }
  return found.sort(({ latest: a }, { latest: b }) => byText(b.uploadedAt, a.uploadedAt));
}

async function viewCase(
  store: S3Store,
  signer: Signer,
  { dataset, other = [] }: SiteViewOptions,
  { caseId, latest, beside }: FoundCase,
): Promise<ViewCase> {
  const keys = runKeys(latest.prefix);
  const report = await getJson(store, keys.report, ViewedReport);
  const present = new Set<string>();
  for await (const { key } of store.list(`${latest.prefix}/`)) present.add(key);
  const result = (key: string, name: string) =>
    present.has(key) ? signer.volume(key, name) : Promise.resolve(null);
  const image = report.status === 'failed' ? null : await imageOf(store, signer, latest.runId);
  const others = await otherRuns(store, { dataset, caseId, prefix: latest.prefix }, other);
  return {
    ...viewFacts(report),
    ...(latest.of
      ? { caseId: `${caseId}, ${latest.of.target}`, target: latest.of.target }
      : { caseId }),
    ...(beside.length > 0 && {
      beside: await Promise.all(beside.map((one) => maskOf(signer, one))),
    }),
    ...(others.length > 0 && {
      others: await Promise.all(others.map(({ mask, name }) => signer.volume(mask, name))),
    }),
    report: await signer.address(keys.report),
    overlay: present.has(keys.overlay) ? await signer.address(keys.overlay) : null,
    mask: await result(keys.mask, 'mask.nii.gz'),
    cam: await result(keys.cam, 'cam.nii.gz'),
    image,
    label: await labelOf(store, signer, dataset, caseId),
    page: present.has(keys.reportHtml) ? await signer.address(keys.reportHtml) : null,
    imageMissing:
      image !== null || report.status === 'failed'
        ? null
        : 'The image is no longer in the bucket: only mask and CAM are shown.',
  };
}

const maskOf = (signer: Signer, { of, prefix }: LatestPointer): Promise<ViewVolume> =>
  signer.volume(runKeys(prefix).mask, of!.target);

/** The very version that was segmented; a later upload under the same name may show another patient. */
async function imageOf(store: S3Store, signer: Signer, runId: string): Promise<ViewVolume | null> {
  const run = await readRun(store, runId);
  if (!run) return null;
  const { imageKey, input } = run.record;
  if (!(await store.stat(imageKey))) return null;
  return signer.volume(imageKey, input.name, versionIdOf(input.version));
}

async function labelOf(
  store: S3Store,
  signer: Signer,
  dataset: string,
  caseId: string,
): Promise<ViewVolume | null> {
  const label = await readLabelPointer(store, dataset, caseId);
  return label && (await store.stat(label.key)) ? signer.volume(label.key, label.name) : null;
}

const badMinutes = (minutes: number): ConfigError =>
  new ConfigError({
    code: 'bad-minutes',
    subject: '--minutes',
    expected: `1 to ${LONGEST_MINUTES}`,
    found: String(minutes),
    remedy: 'Make a new address when this one has ended.',
  });

const noCase = (dataset: string, caseId: string | undefined): ConfigError =>
  new ConfigError({
    code: 'no-such-case',
    subject: caseId ?? `dataset ${dataset}`,
    expected: `a reported case of the dataset ${dataset}`,
    found: 'none',
    remedy: '"sammix site status" shows what became of the uploads.',
  });
