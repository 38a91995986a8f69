import { targetOf } from '../core/contract/bundle.ts';
import { maskVoxelsPerSlice } from '../core/contract/report.ts';
import { type ViewCase, ViewedReport, type ViewIndex } from '../core/contract/view.ts';
import { type Address, chosenCase, loadIndex, readAddress, writeAddress } from './address.ts';
import { addressOf, caseBeside, showCaseList } from './case-list.ts';
import { byId, element } from './dom.ts';
import { besideAt, type LayerKey, VIEW_LAYERS, type ViewLayer } from './drawn-volumes.ts';
import { showFailure } from './failed.ts';
import { showFlags } from './flags.ts';
import { listenToKeys } from './keyboard.ts';
import { cardLimits, fitted, type Loaded, loadVolumes, onGridOf } from './loading.ts';
import { Scene } from './scene.ts';
import { type Segmented, Viewer } from './viewer.ts';
import { answerOf } from './volume.ts';
import { FIRST_WINDOW_HU } from './windows.ts';

/** Shown until there is a picture, whenever there cannot be one, and to say what a key did. */
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
  const openCase = (direction: 1 | -1): void => {
    const beside = caseBeside(chosen, direction);
    if (beside === undefined) say('This is the only case.', 'hint');
    else location.hash = writeAddress(addressOf(beside, address));
  };
  const report = await reportOf(chosen);
  if (report.status === 'failed') {
    showFailure(report, chosen);
    listenToKeys([
      { keys: ['j'], shown: 'j', does: 'next case', act: () => openCase(1) },
      { keys: ['k'], shown: 'k', does: 'previous case', act: () => openCase(-1) },
    ]);
    return say('');
  }
  await showCase(report, chosen, address, openCase);
}

function showTitle(index: ViewIndex, { caseId, target, volumeMl, dice, page }: ViewCase): void {
  document.title = `${caseId} – sammix viewer`;
  byId('title').textContent = caseId;
  const facts = [
    index.title,
    volumeMl === null ? null : `${targetOf({ target })} ${volumeMl.toFixed(0)} ml`,
    dice === null ? null : `Dice ${dice.toFixed(3)}`,
  ];
  byId('facts').textContent = facts.filter((fact) => fact !== null).join(' · ');
  if (page) byId('links').replaceChildren(element('a', { href: page }, 'Report'));
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

async function showCase(
  report: Segmented,
  chosen: ViewCase,
  address: Address,
  openCase: (direction: 1 | -1) => void,
): Promise<void> {
  const canvas = byId<HTMLCanvasElement>('canvas');
  const card = document.createElement('canvas').getContext('webgl2');
  showPicture(chosen);
  if (!card) return withoutWebgl(report, chosen);
  const { other } = address;
  const loaded = await loadVolumes({ shown: chosen, other }, report, (share, bytes) => {
    byId<HTMLProgressElement>('progress').value = share;
    say(`Loading ${Math.floor(100 * share)} % (${(bytes / 1e6).toFixed(1)} MB)`, 'busy');
  });
  const { mask } = loaded;
  if (!mask) throw new Error('There is no mask of this case: run it again.');
  const hints = chosen.imageMissing === null ? [] : [chosen.imageMissing];
  const onGrid = Object.entries(loaded).map(([key, volume]) =>
    key === 'mask' || key === 'cam' ? [key, volume] : [key, onGridOf(mask, volume, hints)],
  );
  const volumes = { ...(Object.fromEntries(onGrid) as Loaded), mask };
  say('Drawing …', 'busy');
  // Drawing blocks the page: what it says should be on the screen before.
  await new Promise((resolve) => setTimeout(resolve));
  const drawn = fitted(volumes, cardLimits(card), hints);
  const scene = await Scene.open(canvas, mask.geometry, drawn, FIRST_WINDOW_HU);
  const viewer = new Viewer(scene, report, mask.geometry, layersOf(chosen, volumes, other), {
    moved: keepSlice,
    say: (text) => say(text, text === '' ? '' : 'hint'),
    openCase,
  });
  viewer.goToSlice(address.slice ?? fullestSlice(report));
  showOthers(chosen, address);
  say(hints.join(' '), hints.length === 0 ? '' : 'hint');
  byId('fallback').hidden = true;
}

/** The layers at hand by name: masks by their targets, one to compare with by what it is of. */
function layersOf(chosen: ViewCase, volumes: Loaded, other: number): ReadonlyMap<LayerKey, string> {
  const nameOf = ({ key, name }: ViewLayer): string => {
    const at = besideAt(key);
    if (at >= 0) return chosen.beside?.[at]?.name ?? name;
    if (key === 'other') return chosen.others?.[other]?.name ?? name;
    return key === 'mask' && chosen.beside?.length ? targetOf(chosen) : name;
  };
  return new Map(
    VIEW_LAYERS.flatMap((layer) => (volumes[layer.key] ? [[layer.key, nameOf(layer)]] : [])),
  );
}

/** Which of several masks to compare with. Another one is another page, as another case is. */
function showOthers({ others = [] }: ViewCase, { other }: Address): void {
  if (others.length < 2) return;
  const select = element(
    'select',
    {
      change: () => {
        location.hash = writeAddress({
          ...readAddress(location.hash),
          other: select.selectedIndex,
        });
      },
    },
    ...others.map(({ name }, at) => element('option', { selected: at === other }, name)),
  );
  byId('others').replaceChildren(element('label', { class: 'field' }, 'Compare with ', select));
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

function fullestSlice(report: Segmented): number {
  const voxels = maskVoxelsPerSlice(report);
  return voxels.indexOf(Math.max(...voxels));
}

/** The report's own picture: there at once, and instead of volumes where those cannot be drawn. */
function showPicture({ overlay }: ViewCase): void {
  if (overlay === null) return;
  const picture = byId<HTMLImageElement>('fallback');
  picture.src = overlay;
  picture.hidden = false;
}

function withoutWebgl(report: Segmented, { overlay }: ViewCase): void {
  showFlags(report, null);
  document.body.classList.add('flat');
  const standIn = overlay === null ? '' : ' The report’s own picture stands in.';
  say(
    `This browser has no WebGL 2, which drawing volumes needs. Update it, or switch on hardware acceleration in its settings.${standIn}`,
    'hint',
  );
}

// Another case is another page: the browser frees what the last one held on the graphics card.
const pageOf = ({ caseId, other }: Address): string => JSON.stringify([caseId, other]);
let page = pageOf(readAddress(location.hash));
window.addEventListener('hashchange', () => {
  const next = pageOf(readAddress(location.hash));
  if (next !== page) location.reload();
  page = next;
});

start().catch((error: unknown) => {
  byId('fallback').hidden = true;
  say(error instanceof Error ? error.message : String(error), 'fault');
});
