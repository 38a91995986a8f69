import { ConfigError, type Fault } from '../errors.ts';
import type { ClassTable } from './class-tables.ts';

/**
 * What a data set must hold to be trained on. The trainer decides (gpu-jobs/train/sammix_train/data); what can be
 * known from the labels alone is said here, before anything is downloaded for it.
 */

/** Fewer teach no outline; the trainer refuses them too. */
const MIN_LABELLED_SLICES = 5;

/** Which values of a label file are the target, and which say that nobody labelled a voxel. */
export interface TargetValues {
  readonly target: ReadonlySet<number>;
  readonly ignore: ReadonlySet<number>;
}

/**
 * @param table names of `dataset.json`; without it labels are 0 and 1
 * @param target a name, or several joined by `+`
 * @throws ConfigError naming the labels that there are
 */
export function targetValues(
  table: ClassTable | undefined,
  target: string,
  subject: string,
): TargetValues {
  if (table === undefined) return { target: new Set([1]), ignore: new Set() };
  const valuesOf = (name: string): readonly number[] | undefined =>
    table.classes.find((one) => one.name === name)?.values;
  const values = target.split('+').flatMap((name) => {
    const found = NO_TARGETS.has(name) ? undefined : valuesOf(name);
    if (found === undefined) throw unknownTarget(table, name, subject);
    return found;
  });
  return { target: new Set(values), ignore: new Set(valuesOf('ignore')) };
}

const NO_TARGETS: ReadonlySet<string> = new Set(['background', 'ignore']);

const unknownTarget = (table: ClassTable, name: string, subject: string): ConfigError =>
  new ConfigError({
    code: 'unknown-target',
    subject,
    expected: `a label named ${name}`,
    found: table.classes
      .map((one) => one.name)
      .filter((one) => !NO_TARGETS.has(one))
      .join(', '),
    remedy: 'Name one of these with --target, or several joined by "+".',
  });

/** Axial slices of one label by what they say of the target. */
export interface SliceCounts {
  readonly shown: number;
  readonly empty: number;
  /** With voxels that nobody labelled: they count as unlabelled. */
  readonly unlabelled: number;
}

/** A labelled case that trains or validates. */
export interface CountedCase {
  readonly caseId: string;
  readonly patient: string;
  readonly counts: SliceCounts;
}

/** What is known of a data set from its labels. */
export interface TrainingSet {
  readonly labelled: readonly CountedCase[];
  /** Images without a label. */
  readonly unlabelledCases: number;
  /** Ids of the cases that train, where the data set says so; else a fifth of the patients is drawn to validate. */
  readonly training: ReadonlySet<string> | undefined;
}

export const patientsOf = ({ labelled }: Pick<TrainingSet, 'labelled'>): number =>
  new Set(labelled.map(({ patient }) => patient)).size;

export const totalOf = (cases: readonly CountedCase[], kind: keyof SliceCounts): number =>
  cases.reduce((sum, { counts }) => sum + counts[kind], 0);

export interface Wanted {
  readonly target: string;
  /** Labelled slices to learn from. */
  readonly labels: number | 'all';
}

/** What keeps a data set from being trained on, as far as its labels tell; undefined where nothing does. */
export function trainingFault(
  set: TrainingSet,
  { target, labels }: Wanted,
  subject: string,
): Fault | undefined {
  const patients = patientsOf(set);
  if (patients < 2)
    return {
      code: 'one-patient',
      subject,
      expected: 'labels of at least 2 patients, because one validates',
      found: `those of ${patients}`,
      remedy: 'Label another patient; patients.csv (case,patient) says who is who.',
    };
  const { training } = set;
  const learnt = training
    ? set.labelled.filter(({ caseId }) => training.has(caseId))
    : set.labelled;
  const shown = totalOf(learnt, 'shown');
  const needed = labels === 'all' ? MIN_LABELLED_SLICES : Math.max(labels, MIN_LABELLED_SLICES);
  const whose = training ? ' of the patients that train' : '';
  if (shown < needed)
    return {
      code: 'too-few-labels',
      subject,
      expected: `at least ${needed} labelled slices that show ${target}${whose}`,
      found: String(shown),
      remedy:
        shown >= MIN_LABELLED_SLICES
          ? `Label more, or ask for fewer, e.g. --labels ${shown}.`
          : 'Label more slices; 50 of several patients are a good start.',
    };
  if (totalOf(learnt, 'empty') === 0)
    return {
      code: 'no-empty-slices',
      subject,
      expected: `labelled slices without ${target}${whose}, from which the classifier learns where it ends`,
      found: 'none',
      remedy: 'Label whole scans, or add slices that are labelled as empty.',
    };
  return undefined;
}
