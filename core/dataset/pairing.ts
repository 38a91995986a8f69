import { groupBy } from '../group-by.ts';
import {
  type CaseName,
  imageNames,
  labelNames,
  labelRank,
  type SeenFile,
  subsetOf,
} from './layout.ts';

/** Which label belongs to which image. */
export interface Pairing {
  /** By the image's path. */
  readonly labelOf: ReadonlyMap<string, SeenFile>;
  /** Images for which several labels, or whose label several images, would do: none is taken. */
  readonly ambiguous: ReadonlyMap<string, readonly SeenFile[]>;
  /** Labels of no image. */
  readonly left: readonly SeenFile[];
}

/** An image and another name of it: its case's id, by which masks are called. */
export interface NamedImage {
  readonly file: SeenFile;
  readonly caseId?: string;
}

interface Edge {
  readonly image: SeenFile;
  readonly label: SeenFile;
  readonly cost: number;
}

/**
 * Pairs by names and folders. The folders of one of the two must be among the other's in their order,
 * so that a label never meets an image that lies in another patient's folder; where two labels fit an
 * image equally well, or two images a label, neither is taken.
 */
export function pair(images: readonly NamedImage[], labels: readonly SeenFile[]): Pairing {
  const labelOf = new Map<string, SeenFile>();
  const ambiguous = new Map<string, SeenFile[]>();
  const used = new Set<string>();
  for (const group of byCost(edgesOf(images, labels))) {
    const open = group.filter(
      ({ image, label }) =>
        !labelOf.has(image.path) && !ambiguous.has(image.path) && !used.has(label.path),
    );
    const ofImage = groupBy(open, ({ image }) => image.path);
    const ofLabel = groupBy(open, ({ label }) => label.path);
    for (const { image, label } of open) {
      const choices = ofImage.get(image.path)!;
      const rivals = ofLabel.get(label.path)!;
      if (choices.length === 1 && rivals.length === 1) labelOf.set(image.path, label);
      else
        ambiguous.set(
          image.path,
          choices.map((edge) => edge.label),
        );
    }
    for (const { label } of open) used.add(label.path);
  }
  const paired = new Set([...labelOf.values()].map(({ path }) => path));
  return { labelOf, ambiguous, left: labels.filter(({ path }) => !paired.has(path)) };
}

function edgesOf(images: readonly NamedImage[], labels: readonly SeenFile[]): Edge[] {
  const byName = new Map<string, { label: SeenFile; folders: readonly string[]; cost: number }[]>();
  for (const label of labels)
    labelNames(label).forEach(({ name, folders }, cost) => {
      const known = byName.get(name);
      const entry = { label, folders, cost: cost * 4 + labelRank(label) };
      if (known) known.push(entry);
      else byName.set(name, [entry]);
    });
  const best = new Map<string, Edge>();
  for (const one of namesOf(images))
    for (const { name, folders, cost, byId } of one.names)
      for (const found of byName.get(name) ?? []) {
        const apart = distance(folders, found.folders);
        if (apart === undefined || otherSubset(one.file, found.label)) continue;
        if (byId && found.folders.length > 0) continue;
        const edge = {
          image: one.file,
          label: found.label,
          cost: cost * 4 + found.cost + apart * 64,
        };
        const key = `${one.file.path}\n${found.label.path}`;
        if ((best.get(key)?.cost ?? Number.POSITIVE_INFINITY) > edge.cost) best.set(key, edge);
      }
  return [...best.values()];
}

interface Named {
  readonly file: SeenFile;
  readonly names: (CaseName & { readonly cost: number; readonly byId?: true })[];
}

/** The only image of a folder may also be called as its folder is. */
function namesOf(images: readonly NamedImage[]): Named[] {
  const perFolder = groupBy(images, ({ file }) => file.parts.slice(0, -1).join('/'));
  return images.map(({ file, caseId }) => {
    const names: Named['names'] = imageNames(file).map((one, cost) => ({ ...one, cost }));
    const [first] = names;
    const alone = perFolder.get(file.parts.slice(0, -1).join('/'))!.length === 1;
    const folder = first!.folders.at(-1);
    if (alone && folder === undefined) names.push({ name: '', folders: [], cost: 8 });
    if (alone && folder !== undefined)
      names.push({ name: folder, folders: first!.folders.slice(0, -1), cost: 8 });
    if (caseId !== undefined && names.every(({ name }) => name !== caseId.toLowerCase()))
      names.push({ name: caseId.toLowerCase(), folders: [], cost: 1, byId: true });
    return { file, names };
  });
}

/** A case of the training set and one of the test set may have one name. */
function otherSubset(image: SeenFile, label: SeenFile): boolean {
  const [a, b] = [subsetOf(image), subsetOf(label)];
  return a !== undefined && b !== undefined && a !== b;
}

/** How many folders only one of the two has; undefined where both have some of their own. */
function distance(a: readonly string[], b: readonly string[]): number | undefined {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  let at = 0;
  for (const folder of long) if (at < short.length && short[at] === folder) at++;
  return at === short.length ? long.length - short.length : undefined;
}

function byCost(edges: readonly Edge[]): Edge[][] {
  const groups = groupBy(edges, ({ cost }) => cost);
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}
