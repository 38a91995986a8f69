import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTrainRequest, requestTraining, trainRequestOf } from '../../cli/site/train.ts';
import { temporaryFolder } from '../support/case.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';

const NOW = new Date('2026-03-04T05:06:07.890Z');

describe('a training request', () => {
  it('is described by options, and named by them and the time', () => {
    const request = trainRequestOf({ data: 'liver', labels: '50', steps: '400', seed: '7' }, NOW);
    expect(request).toEqual({
      schemaVersion: 1,
      id: 'labels-50-small-20260304T050607',
      dataPrefix: 'training/data/liver/',
      config: { labels: '50', steps: 400, seed: 7 },
    });
  });

  it('of uploads names the dataset, and leaves the rest to the bundle that is fitted', () => {
    const options = { dataset: 'north-ct', target: 'spleen', labels: '50', minutes: '5' };
    expect(trainRequestOf(options, NOW)).toEqual({
      schemaVersion: 1,
      id: 'labels-50-north-ct-20260304T050607',
      dataset: 'north-ct',
      config: { target: 'spleen', labels: '50', minutes: 5 },
    });
    const from = 'models/sammix-spleen/0123456789abcdef';
    expect(trainRequestOf({ dataset: 'a', startFrom: from }, NOW)).toMatchObject({
      startFrom: from,
    });
    for (const bad of [{ dataset: 'a', size: 'tiny' }, { startFrom: from }, { dataset: '../b' }])
      expect(() => trainRequestOf(bad, NOW)).toThrow(
        expect.objectContaining({ code: 'bad-training-request' }),
      );
  });

  it.each([
    ['size', { size: 'huge' }],
    ['labels', { labels: 'many' }],
    ['steps', { steps: 'some' }],
    ['steps', { steps: '0' }],
    ['dataPrefix', { data: '../cases' }],
    ['id', { id: 'a b' }],
  ])('with a bad %s is refused before it is uploaded', (field, options) => {
    const bad = () => trainRequestOf({ data: 'liver', ...options }, NOW);
    expect(bad).toThrow(expect.objectContaining({ code: 'bad-training-request' }));
    expect(bad).toThrow(field);
  });

  it('is read from a file of its name, and uploaded under it', async () => {
    const folder = await temporaryFolder();
    const request = trainRequestOf({ data: 'liver', id: 'mine' }, NOW);
    const file = path.join(folder, 'mine.json');
    await writeFile(file, JSON.stringify(request));
    const { store } = new MemoryBucket();
    const { key } = await requestTraining(store, await readTrainRequest(file));
    expect(key).toBe('training/requests/mine.json');
    expect(JSON.parse(Buffer.from(await store.get(key)).toString())).toEqual(request);

    await writeFile(path.join(folder, 'other.json'), JSON.stringify(request));
    await expect(readTrainRequest(path.join(folder, 'other.json'))).rejects.toThrow(
      'the id "mine"',
    );
    await expect(readTrainRequest(path.join(folder, 'none.json'))).rejects.toMatchObject({
      code: 'no-training-request',
    });
  });
});
