import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BundleManifest } from '../../../core/contract/bundle.ts';
import { trainingPage } from '../../../core/training/page.ts';
import { TINY_BUNDLE } from '../../support/case.ts';
import { FACTS, LOG } from './sample.ts';

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
