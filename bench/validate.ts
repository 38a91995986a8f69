// `npm run validate`: runs the whole pipeline over the real volumes that were not trained on and renews
// the table in docs/validation.md. Accuracy, so no ratio; it lives here because it needs the real data.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { plainProgress } from '../cli/progress.ts';
import { runCommand } from '../cli/run.ts';
import { metricValue } from '../core/contract/panel.ts';
import { CaseReport } from '../core/contract/report.ts';

const ROOT = path.join(import.meta.dirname, '..');
const DATA = process.env.SAMMIX_DATA ?? path.join(ROOT, '../shared/data');
const OUT = path.join(import.meta.dirname, 'work/validation');
const PAGE = path.join(ROOT, 'docs/validation.md');
const [START, END] = ['<!-- volumes: npm run validate -->', '<!-- /volumes -->'];

interface Split {
  readonly volumes_ircad: { readonly test: readonly string[] };
  readonly volumes: {
    readonly test_in_domain: readonly string[];
    readonly test_cross_domain: readonly string[];
  };
}

interface Row {
  readonly group: string;
  readonly caseId: string;
  readonly report: CaseReport;
}

const split = JSON.parse(await readFile(path.join(DATA, 'split.json'), 'utf8')) as Split;
const groups: readonly (readonly [string, string, readonly string[]])[] = [
  [
    '3D-IRCADb (in domain)',
    'volumes_ircad',
    split.volumes_ircad.test.map((patient) => `ircad_${patient}`),
  ],
  ['3D-IRCADb, full resolution', 'volumes', split.volumes.test_in_domain],
  ['TotalSegmentator (cross-domain)', 'volumes', split.volumes.test_cross_domain],
];

const rows: Row[] = [];
for (const [group, folder, names] of groups)
  for (const name of names) rows.push({ group, caseId: name, report: await segment(folder, name) });
const page = await readFile(PAGE, 'utf8');
const [before, after] = [page.indexOf(START), page.indexOf(END)];
if (before < 0 || after < 0) throw new Error(`${PAGE} lacks the marks ${START} and ${END}`);
await writeFile(PAGE, `${page.slice(0, before)}${START}\n\n${table(rows)}\n\n${page.slice(after)}`);

async function segment(folder: string, name: string): Promise<CaseReport> {
  const file = (kind: string): string => path.join(DATA, folder, `${name}_${kind}.nii.gz`);
  const out = path.join(OUT, folder);
  await runCommand(
    [file('ct')],
    { out, label: file('liver'), slicesPerJob: 32, postprocess: true, force: false },
    plainProgress(process.stderr),
  );
  return CaseReport.parse(
    JSON.parse(await readFile(path.join(out, `${name}_ct`, 'report.json'), 'utf8')),
  );
}

function table(cases: readonly Row[]): string {
  const lines = cases.map(({ group, caseId, report }) => {
    if (report.status === 'failed')
      return `| ${group} | ${caseId} | failed: ${report.fault.code} |`;
    const panel = report.comparison!.panel;
    const value = (name: Parameters<typeof metricValue>[1], digits: number): string =>
      metricValue(panel, name).toFixed(digits);
    const volumes = `${panel.predictionVolumeMl.toFixed(0)} / ${panel.labelVolumeMl.toFixed(0)}`;
    const flags = report.flags.filter((flag) => flag.severity === 'review').map(({ code }) => code);
    return `| ${group} | ${caseId} | ${value('dice', 4)} | ${value('hd95Mm', 2)} | ${value('assdMm', 2)} | ${value('nsd3Mm', 3)} | ${volumes} | ${flags.join(', ')} |`;
  });
  return [
    '| Data | Case | Dice | HD95 mm | ASSD mm | NSD 3 mm | ml mask / label | review flags |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
    '',
    ...[...new Set(cases.map(({ group }) => group))].map((group) => meanLine(group, cases)),
  ].join('\n');
}

/** A failed case counts as Dice 0: leaving it out would improve the mean. */
function meanLine(group: string, cases: readonly Row[]): string {
  const dices = cases
    .filter((row) => row.group === group)
    .map(({ report }) =>
      report.status === 'failed' ? 0 : metricValue(report.comparison!.panel, 'dice'),
    );
  const mean = dices.reduce((sum, dice) => sum + dice, 0) / dices.length;
  return `- ${group}: mean Dice **${mean.toFixed(4)}** over ${dices.length} case${dices.length === 1 ? '' : 's'}.`;
}
