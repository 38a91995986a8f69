import type { EvaluatedCase, ScanTraits } from '../contract/evaluated-case.ts';
import type { Stratum } from '../contract/evaluation.ts';
import {
  byText,
  casesOfPatients,
  diceOrZero,
  type PatientBootstrap,
  patientMeans,
} from './patients.ts';

/** A trait by which cases are told apart. */
export type Trait = Pick<Stratum, 'by' | 'value'>;

/** Upper ends of the slice-spacing strata, in mm, included. */
const SPACING_STRATA = [
  { upToMm: 1.5, value: '<= 1.5 mm' },
  { upToMm: 3, value: '1.5-3 mm' },
  { upToMm: 5, value: '3-5 mm' },
  { upToMm: Number.POSITIVE_INFINITY, value: '> 5 mm' },
] as const;

const KINDS = ['slice-spacing', 'orientation', 'description'] as const;

export function spacingStratum(sliceSpacingMm: number): string {
  return SPACING_STRATA.find(({ upToMm }) => sliceSpacingMm <= upToMm)!.value;
}

/** `UNKNOWN` sorts last among the values of a kind. */
const UNKNOWN = 'unknown';

/**
 * The cases that share a trait, by kind of trait and then value. Every case is in one group of each
 * kind: where the scan is not known in `unknown`, where no other case has its description in `other`.
 * Descriptions that tell no cases apart give no group.
 */
export function groupByTrait<Case extends { readonly scan: ScanTraits | null }>(
  cases: readonly Case[],
): { readonly trait: Trait; readonly cases: readonly Case[] }[] {
  const shared = sharedDescriptions(cases);
  const valueIn: Record<Trait['by'], (scan: ScanTraits) => string> = {
    'slice-spacing': (scan) => spacingStratum(scan.spacingMm.slice),
    orientation: (scan) => scan.orientation,
    description: ({ description }) =>
      description === null ? 'none' : shared.has(description) ? description : 'other',
  };
  return KINDS.flatMap((by) => {
    const groups = new Map<string, Case[]>();
    for (const one of cases) {
      const value = one.scan ? valueIn[by](one.scan) : UNKNOWN;
      groups.set(value, [...(groups.get(value) ?? []), one]);
    }
    if (by === 'description' && groups.size < 2) return [];
    return [...groups]
      .sort(([a], [b]) => rank(a) - rank(b) || byText(a, b))
      .map(([value, group]) => ({ trait: { by, value }, cases: group }));
  });
}

function rank(value: string): number {
  const spacing = SPACING_STRATA.findIndex((stratum) => stratum.value === value);
  if (spacing >= 0) return spacing;
  return value === UNKNOWN ? SPACING_STRATA.length + 1 : SPACING_STRATA.length;
}

/** Converters put the time of day there: texts that only one scan has tell nothing apart. */
function sharedDescriptions(
  cases: readonly { readonly scan: ScanTraits | null }[],
): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const { scan } of cases)
    if (scan?.description) counts.set(scan.description, (counts.get(scan.description) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count > 1).map(([text]) => text));
}

/** Dice of each group of labelled cases. */
export const summariseStrata = (
  labelled: readonly EvaluatedCase[],
  bootstrap: PatientBootstrap,
): Stratum[] =>
  groupByTrait(labelled).map(({ trait, cases }) => ({
    ...trait,
    cases: cases.length,
    patients: casesOfPatients(cases).length,
    diceWithFailuresAsZero: bootstrap.mean(patientMeans(cases, diceOrZero)),
  }));
