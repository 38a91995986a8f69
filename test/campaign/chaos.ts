import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createRandom } from '../../core/random.ts';
import { laptop } from './laptop-faults.ts';
import { asked, options } from './options.ts';
import { site } from './site-faults.ts';

/**
 * `npm run chaos -- --faults N --seed S [--only C]`: chains of one to four faults, of which each second
 * one strikes a laptop (a real command, real signals, a real full disk) and the others a site (its own
 * functions and jobs over a bucket in memory). Then peace: every mask must be a calm run's, every case in a
 * report that passes its schema, and nothing half-written left. A chain that does not end so is printed
 * with the number that makes it again.
 */
// The site's functions log to standard output, which the site's world takes for itself.
const print = process.stdout.write.bind(process.stdout);
const { faults, seed, only } = options({ faults: 20, seed: 1, only: 0 });

const work = await mkdtemp(path.join(tmpdir(), 'sammix-chaos-'));
const scenes = [await laptop(path.join(work, 'laptop')), await site()];
const counts = new Map<string, number>();
let [failures, done, chains] = [0, 0, 0];
for (let chain = only > 0 ? only : 1; done < faults && !asked.toStop; chain++, chains++) {
  const random = createRandom(seed * 1_000_003 + chain);
  const scene = scenes[chain % scenes.length]!;
  const story: string[] = [];
  try {
    await scene.chain(random, Math.min(random.integer(1, 4), faults - done), (kind) => {
      story.push(kind);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    });
  } catch (error) {
    failures++;
    console.error(`FAILED (${story.join(', ')}) --seed ${seed} --only ${chain}:`, error);
  }
  done += story.length;
  if (only > 0) break;
}
for (const scene of scenes) await scene.close();
await rm(work, { recursive: true, force: true });
const parts = [...counts]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([kind, count]) => `${count} ${kind}`);
print(
  `${done} faults in ${chains} chains (${parts.join(', ')}); ${failures} chains that did not end whole; seed ${seed}\n`,
);
process.exit(failures === 0 ? 0 : 1);
