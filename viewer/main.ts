import { type ViewCase, ViewedReport, type ViewIndex } from '../core/contract/view.ts';
import { assertSameGrid } from '../core/volume/lattice.ts';
import { type Address, chosenCase, loadIndex, readAddress, writeAddress } from './address.ts';
import { showCaseList } from './case-list.ts';
import { byId } from './dom.ts';
import { showFlags } from './flags.ts';
import type { LayerKey } from './scene.ts';
import { Scene } from './scene.ts';
import { type Segmented, Viewer } from './viewer.ts';
import { answerOf, fetchVolume, type Volume } from './volume.ts';

/** Shown until there is a picture, and whenever there cannot be one. */
function say(text: string, kind: 'busy' | 'fault' | 'hint' | '' = ''): void {
  const message = byId('message');
  message.textContent = text;
  message.className = kind;
  document.body.dataset.state = kind === 'busy' ? 'loading' : kind === 'fault' ? 'fault' : 'ready';
}

async function start(): Promise<void> {
  say('Loading …', 'busy');
  const address = readAddress(location.hash);
  const index = await loadIndex(address);
  const chosen = chosenCase(index, address);
  showCaseList(index, chosen, address);
  showTitle(index, chosen);
  warnBeforeExpiry(index);
  const report = await reportOf(chosen);
  if (report.status === 'failed') {
    const { expected, found, remedy } = report.fault;
    const cause = `This case failed: expected ${expected}, found ${found}. ${remedy}`;
    return say(cause, 'fault');
  }
  await showCase(report, chosen, address);
}

function showTitle(index: ViewIndex, { caseId, volumeMl, dice }: ViewCase): void {
  document.title = `${caseId} – sammix viewer`;
  byId('title').textContent = caseId;
  const facts = [
    index.title,
    volumeMl === null ? null : `liver ${volumeMl.toFixed(0)} ml`,
    dice === null ? null : `Dice ${dice.toFixed(3)}`,
  ];
  byId('facts').textContent = facts.filter((fact) => fact !== null).join(' · ');
}

/** A page that is open when its addresses end keeps what it has loaded; another case would not load. */
function warnBeforeExpiry({ expiresAt }: ViewIndex): void {
  if (expiresAt === null) return;
  const leftMs = Date.parse(expiresAt) - Date.now();
  const ended =
    'The addresses have ended. What is loaded stays; for another case run "sammix site view" again.';
  if (leftMs > 0) setTimeout(() => say(ended, 'hint'), leftMs);
}

async function reportOf({ report }: ViewCase): Promise<ViewedReport> {
  const parsed = ViewedReport.safeParse(await (await answerOf(report, 'The report')).json());
  if (parsed.success) return parsed.data;
  throw new Error('The report was written by another version of sammix: run the case again.');
}

async function showCase(report: Segmented, chosen: ViewCase, address: Address): Promise<void> {
  const canvas = byId<HTMLCanvasElement>('canvas');
  if (!document.createElement('canvas').getContext('webgl2')) return withoutWebgl(report, chosen);
  const volumes = await loadVolumes(chosen);
  const { mask, cam } = volumes;
  if (!mask) throw new Error('There is no mask of this case: run it again.');
  const hints = chosen.imageMissing === null ? [] : [chosen.imageMissing];
  const image = onGridOf(mask, volumes.image, hints);
  const label = onGridOf(mask, volumes.label, hints);
  say('Drawing …', 'busy');
  const scene = await Scene.open(canvas, { mask, image, cam, label }, report.bundle.windowHu);
  const present: LayerKey[] = [
    'mask',
    ...(label ? (['label'] as const) : []),
    ...(cam ? (['cam'] as const) : []),
  ];
  const viewer = new Viewer(scene, report, mask.geometry, present, keepSlice);
  viewer.goToSlice(address.slice ?? fullestSlice(report));
  say(hints.join(' '), hints.length === 0 ? '' : 'hint');
}

/** The volume where it lies on the mask's grid; otherwise nothing, and a hint why. */
function onGridOf(mask: Volume, volume: Volume | null, hints: string[]): Volume | null {
  if (!volume) return null;
  const placed = (one: Volume) => ({ subject: one.name, geometry: one.geometry });
  try {
    assertSameGrid(placed(mask), placed(volume));
    return volume;
  } catch (error) {
    hints.push(`Not shown: ${(error as Error).message}`);
    return null;
  }
}

/** So that a reload, a bookmark or a shared address comes back to the slice. */
let writing: ReturnType<typeof setTimeout> | undefined;
function keepSlice(slice: number): void {
  clearTimeout(writing);
  // Browsers refuse more than a hundred or so changes of the address in half a minute.
  writing = setTimeout(() => {
    const address = { ...readAddress(location.hash), slice };
    history.replaceState(null, '', writeAddress(address));
  }, 400);
}

const fullestSlice = ({ slices }: Segmented): number =>
  slices.reduce((best, one) => (one.maskVoxels > best.maskVoxels ? one : best)).index;

type Loaded = Record<LayerKey | 'image', Volume | null>;

/** All at once: the browser shares the line between them. */
async function loadVolumes(chosen: ViewCase): Promise<Loaded> {
  const received = new Map<string, number>();
  const loaded: Loaded = { image: null, mask: null, cam: null, label: null };
  const load = async (key: keyof Loaded): Promise<void> => {
    const source = chosen[key];
    if (!source) return;
    loaded[key] = await fetchVolume(source, (bytes) => {
      received.set(key, bytes);
      const sum = [...received.values()].reduce((a, b) => a + b, 0);
      say(`Loading … ${(sum / 1e6).toFixed(1)} MB`, 'busy');
    });
  };
  await Promise.all((['image', 'mask', 'cam', 'label'] as const).map(load));
  return loaded;
}

function withoutWebgl(report: Segmented, { overlay }: ViewCase): void {
  showFlags(report.flags, null);
  document.body.classList.add('flat');
  say(
    'This browser has no WebGL 2, which drawing volumes needs. Update it, or switch on hardware acceleration in its settings. The report’s own picture stands in.',
    'hint',
  );
  if (overlay === null) return;
  const picture = byId<HTMLImageElement>('fallback');
  picture.src = overlay;
  picture.hidden = false;
}

// Another case is another page: the browser frees what the last one held on the graphics card.
let caseId = readAddress(location.hash).caseId;
window.addEventListener('hashchange', () => {
  const next = readAddress(location.hash).caseId;
  if (next !== caseId) location.reload();
  caseId = next;
});

start().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error), 'fault');
});
