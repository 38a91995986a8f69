import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initSite } from '../../cli/site/init.ts';
import { ConfigError } from '../../core/errors.ts';
import { Site } from '../../site/contract/config.ts';
import { loadSite, SITE_FILES as SITES } from '../../site/site-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sammix-sites-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a site file', () => {
  it('that "sammix site init" writes deploys with every default', async () => {
    const file = path.join(folder, 'north.json');
    const written = await initSite('north', file);
    expect(loadSite(file)).toEqual(written);
    expect(written).toEqual(Site.parse({ site: 'north' }));
    await expect(initSite('north', file)).rejects.toThrow('one that exists');
  });

  it.each([
    ['that is not there', undefined, 'no file'],
    ['that is not JSON', '{"site": ', 'text that is not JSON'],
    ['that names another site', '{"site": "south"}', '"site": "south" in a file named west.json'],
    ['with a misspelt field', '{"site": "west", "regoin": "eu-west-1"}', 'regoin'],
  ])('%s is refused with what is wrong', async (_what, text, found) => {
    const file = path.join(folder, 'west.json');
    await rm(file, { force: true });
    if (text !== undefined) await writeFile(file, text);
    expect(() => loadSite(file)).toThrow(ConfigError);
    expect(() => loadSite(file)).toThrow(found);
  });

  it('names further targets by words that stay apart as names of files', () => {
    const of = (targets: object) => Site.safeParse({ site: 'north', targets }).success;
    expect(of({ spleen: 'active', 'left kidney': 'models/kidney/0123456789abcdef' })).toBe(true);
    expect(of({ 'left kidney': 'active', 'Left-kidney': 'active' })).toBe(false);
    expect(of({ 'spleen/../liver': 'active' })).toBe(false);
    expect(of({ spleen: 'latest' })).toBe(false);
  });

  it('that comes with the project is valid', async () => {
    const files = (await readdir(SITES)).filter((file) => file.endsWith('.json'));
    expect(files).toContain('example.json');
    for (const file of files) expect(loadSite(path.join(SITES, file)).site).toBeTruthy();
  });
});
