import path from 'node:path';
import { LIVER } from '../../core/contract/bundle.ts';
import { ConfigError } from '../../core/errors.ts';
import type { ImageFiles } from '../case-image.ts';
import { findSeries } from '../dicom-cases.ts';
import { isFile } from '../files.ts';
import { findCases, type LocalCase } from '../view-cases.ts';
import type { Unread } from './label-set.ts';

/** The mask that a run drew of one target of a case. */
export interface ResultMask {
  readonly caseId: string;
  /** Absolute. */
  readonly file: string;
  /** The scan, where the run found it. */
  image(): Promise<ImageFiles>;
  /** Where it is a file: its absolute path. */
  readonly imageFile: string | null;
}

export interface Results {
  readonly target: string;
  readonly masks: ReadonlyMap<string, ResultMask>;
  /** Cases that failed, or lost their mask. */
  readonly unread: readonly Unread[];
}

/**
 * The masks in the output folder of a `sammix run`.
 *
 * @param target undefined for the only one that there is
 * @throws ConfigError where there are none of the target, or of several and none was named
 */
export async function readResults(dir: string, target: string | undefined): Promise<Results> {
  if (await isFile(path.join(dir, 'report.json'))) throw oneCase(dir);
  const cases = await findCases(dir, {});
  const known = new Set(cases.filter(({ mask }) => mask !== null).map(targetOf));
  const [only] = known;
  const wanted = target ?? (known.size === 1 ? only! : undefined);
  if (wanted === undefined || !known.has(wanted)) throw notOneTarget(dir, target, [...known]);
  const masks = new Map<string, ResultMask>();
  const unread: Unread[] = [];
  for (const one of cases) {
    const { name: caseId, facts, mask } = one;
    const isWanted = targetOf(one) === wanted;
    if (mask !== null && isWanted) masks.set(caseId, resultMask(one, mask));
    else if (facts.status === 'failed' ? facts.target === undefined || isWanted : isWanted)
      unread.push({ caseId, why: 'The run made no mask of it.' });
  }
  return { target: wanted, masks, unread };
}

const targetOf = ({ facts }: LocalCase): string => facts.target ?? LIVER;

function resultMask(one: LocalCase, file: string): ResultMask {
  const { name: caseId, image, pairedImage, series, facts } = one;
  const found = async (): Promise<ImageFiles> => {
    if (image === null) throw noImage(caseId, facts.imageMissing);
    if (!series) return { image, ...(pairedImage !== null && { pairedImage }) };
    return findSeries(image, series, 'Put the files back where the run found them.');
  };
  return { caseId, file, image: found, imageFile: series ? null : image };
}

const noImage = (subject: string, found: string | null): ConfigError =>
  new ConfigError({
    code: 'image-missing',
    subject,
    expected: 'the scan where the run found it',
    found: found ?? 'none',
    remedy: 'Put it back, or run it again from where it is.',
  });

const oneCase = (dir: string): ConfigError =>
  new ConfigError({
    code: 'one-case',
    subject: dir,
    expected: 'the folder that sammix run was given with --out',
    found: 'that of one case',
    remedy: `Name the folder above it, and the case: --from ${path.dirname(path.resolve(dir))} --cases ${path.basename(path.resolve(dir))}`,
  });

const notOneTarget = (
  subject: string,
  target: string | undefined,
  known: readonly string[],
): ConfigError =>
  new ConfigError({
    code: 'unknown-target',
    subject,
    expected: target === undefined ? 'masks of one target' : `masks of ${target}`,
    found: known.length === 0 ? 'none' : `masks of ${known.join(', ')}`,
    remedy: 'Name one of them with --target, or the folder of another run.',
  });
