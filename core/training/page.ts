import type { BundleManifest } from '../contract/bundle.ts';
import type { DataFacts, TrainingAsked, TrainingLogLine } from '../contract/training-events.ts';
import { plotGrid } from '../page/chart.ts';
import { COHORT_STYLE } from '../page/cohort-style.ts';
import { counted, digestText, numberText, percentText, timeInsert } from '../page/format.ts';
import { html, type Insert, type SafeHtml } from '../page/html.ts';
import { page } from '../page/page.ts';
import { dataTable, definitionList } from '../page/table.ts';
import { bestOf } from './log.ts';
import { trainingPlots } from './plots.ts';

/** A training as its page shows it, while it runs and when it is done. */
export interface TrainingPageFacts {
  readonly asked: TrainingAsked;
  readonly data: DataFacts;
  readonly log: readonly TrainingLogLine[];
  /** Undefined until the bundle is written. */
  readonly bundle: { readonly manifest: BundleManifest; readonly digest: string } | undefined;
  /** The bundle that the weights start from. */
  readonly startFrom: string;
  readonly createdAt: string;
  readonly sammixVersion: string;
  /** Shell commands that use what came out. */
  readonly commands: readonly string[];
}

const CAUTION =
  'A score on a few validation patients says\nlittle of other scanners and diseases: measure the bundle on patients that were kept apart.';

/**
 * `report.html` of a training: one file over the whole of it, without script, font, image or request from
 * outside. The same facts give the same bytes.
 */
export function trainingPage(facts: TrainingPageFacts): string {
  const { asked, log, bundle } = facts;
  const plots = trainingPlots(log);
  return page(
    `Training: ${asked.target}`,
    html`<header>
<h1>Training: <bdi>${asked.target}</bdi></h1>
<p class="note">sammix ${facts.sammixVersion} · ${timeInsert(facts.createdAt)} · ${state(facts)}</p>
<p><strong>Research use only; not a medical device.</strong></p>
${headline(facts)}
</header>
<main>
<section aria-labelledby="course"><h2 id="course">How it went</h2>
${plots.length > 0 ? plotGrid(plots) : html`<p class="finding">There is nothing to show yet.</p>`}
</section>
<section aria-labelledby="data"><h2 id="data">What it learnt from</h2>
${dataList(facts)}
</section>
${bundle && results(bundle.manifest, facts.commands)}
<section aria-labelledby="provenance"><h2 id="provenance">Where this comes from</h2>
${provenance(facts)}
</section>
</main>`,
    { caution: CAUTION, style: COHORT_STYLE },
  );
}

function state({ log, bundle }: TrainingPageFacts): string {
  if (bundle) return 'done';
  const last = log.at(-1);
  return last === undefined ? 'begun' : `${percentText(last.progress, 0)} done`;
}

function headline({ asked, data, log }: TrainingPageFacts): SafeHtml {
  const best = bestOf(log);
  const minutes = (log.at(-1)?.elapsed_s ?? 0) / 60;
  const tile = (value: Insert, name: string): SafeHtml =>
    html`<li><b>${value}</b><span>${name}</span></li>\n`;
  return html`<ul class="facts">
${tile(
  numberText(best?.dice, 3),
  `Dice per slice on ${counted(data.validationPatients, 'validation patient')}`,
)}${tile(data.labelledSlices, `labelled slices with ${asked.target}`)}${tile(
  `${numberText(minutes, 0)} min`,
  `of training on ${data.machine}`,
)}</ul>`;
}

const dataList = ({ asked, data }: TrainingPageFacts): SafeHtml =>
  definitionList([
    ['Data set', html`<bdi>${asked.dataset}</bdi>`],
    ['Patients', `${data.trainingPatients} train, ${data.validationPatients} validate`],
    ['Labelled slices', `${data.labelledSlices}, whose masks are learnt`],
    ['Empty slices', `${data.emptySlices} without ${asked.target}`],
    ['Unlabelled slices', String(data.unlabelledSlices)],
    ['Validation slices', String(data.validationSlices)],
  ]);

const results = (manifest: BundleManifest, commands: readonly string[]): SafeHtml =>
  html`<section aria-labelledby="scores"><h2 id="scores">Scores of the bundle</h2>
<p>Measured with the exported graphs; masks are prompted by the classifier's map, never by truth.</p>
${dataTable(
  'Scores',
  ['Score', 'Data', 'Value', 'n'],
  manifest.metrics.map(({ name, dataset, value, n }) => [name, dataset, numberText(value, 3), n]),
)}</section>
<section aria-labelledby="use"><h2 id="use">Use it</h2>
${commands.map((command) => html`<pre><code>${command}</code></pre>\n`)}</section>`;

const provenance = ({ asked, bundle, startFrom, data }: TrainingPageFacts): SafeHtml =>
  definitionList([
    ['Bundle', bundle ? html`<bdi>${bundle.manifest.name}</bdi>` : null],
    ['Bundle digest', bundle ? html`<code>${bundle.digest}</code>` : null],
    [
      'Started from',
      html`<bdi>${startFrom}</bdi>, digest <code title="${asked.startFrom}">${digestText(asked.startFrom)}</code>`,
    ],
    [
      'Length',
      'minutes' in asked.length ? `${asked.length.minutes} min` : `${asked.length.steps} steps`,
    ],
    ['Labels asked for', String(asked.labels)],
    ['Seed', String(asked.seed)],
    ['Machine', data.machine],
    [
      'Licences',
      bundle
        ? bundle.manifest.licences.map(({ source, licence }) => `${source}: ${licence}`).join('; ')
        : null,
    ],
  ]);
