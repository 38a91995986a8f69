import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BundleManifest } from '../../../core/contract/bundle.ts';
import type { TrainingLogLine } from '../../../core/contract/training-events.ts';
import { type TrainingPageFacts, trainingPage } from '../../../core/training/page.ts';
import { TINY_BUNDLE } from '../../support/case.ts';

const position = (step: number) => ({ step, elapsed_s: 2 * step, progress: step / 100 });
const LOG: TrainingLogLine[] = [
  { kind: 'train', ...position(20), seg: 0.9, cls: 0.2 },
  { kind: 'validation', ...position(30), dice: 0.41, auc: null, box_recall: 0.5 },
  { kind: 'train', ...position(40), seg: 0.4 },
  { kind: 'validation', ...position(100), dice: 0.83, auc: 0.95, box_recall: 0.9 },
];

const FACTS: TrainingPageFacts = {
  asked: {
    schemaVersion: 1,
    dataset: '/scans/<b>mine',
    target: 'left <kidney>',
    labels: 50,
    startFrom: 'a'.repeat(64),
    length: { minutes: 20 },
    seed: 3,
  },
  data: {
    kind: 'data',
    step: 0,
    trainingPatients: 12,
    validationPatients: 3,
    labelledSlices: 50,
    emptySlices: 204,
    unlabelledSlices: 34,
    validationSlices: 69,
    machine: 'cpu, 2 threads, x86_64',
  },
  log: LOG,
  bundle: undefined,
  startFrom: 'bundle',
  createdAt: '2026-03-04T05:06:07.000Z',
  sammixVersion: '0.1.0',
  commands: ["sammix run SCANS --bundle 'my bundle' --out results"],
};

const manifest = BundleManifest.parse(
  JSON.parse(readFileSync(path.join(TINY_BUNDLE, 'bundle.json'), 'utf8')),
);

describe('the page of a training', () => {
  it('shows losses and validation scores with their numbers, and how far it is', () => {
    const running = trainingPage({ ...FACTS, log: LOG.slice(0, 3) });
    expect(running).toContain('40 % done');
    expect(running).toContain('The best Dice is 0.410 at step 30');
    expect(running).not.toContain('Use it');
    const plots = running.match(/<svg[^>]*viewBox/g);
    expect(plots).toHaveLength(2);
    expect(running).toContain('<tr><th scope="row">40</th><td>0.400</td><td>–</td></tr>');
  });

  it('ends with scores, licences and the command that uses the bundle', () => {
    const done = trainingPage({ ...FACTS, bundle: { manifest, digest: 'b'.repeat(64) } });
    expect(done).toContain('<b>0.830</b>');
    expect(done).toContain('sammix run SCANS --bundle &#39;my bundle&#39; --out results');
    for (const { name } of manifest.metrics) expect(done).toContain(name);
    expect(done).toContain('b'.repeat(64));
    expect(done).toContain(manifest.licences[0]!.source);
  });

  it('has nothing to show before the first step, and says so', () => {
    expect(trainingPage({ ...FACTS, log: [] })).toContain('There is nothing to show yet');
  });

  it('escapes names, allows no script, and is the same for the same facts', () => {
    const page = trainingPage(FACTS);
    expect(page).toContain('left &lt;kidney&gt;');
    expect(page).not.toContain('<b>mine');
    expect(page).not.toContain('script-src');
    expect(trainingPage(FACTS)).toBe(page);
  });
});
