import path from 'node:path';
import { PREDICTION } from '../core/contract/view.ts';
import { ConfigError } from '../core/errors.ts';
import { isFile } from './files.ts';

/** A mask to lay over the one of a case. */
export interface OtherMask {
  /** What `--other` named it by. */
  readonly given: string;
  /** Absolute. */
  readonly file: string;
}

/** The first of them that is a file, which can be of one case only. */
export async function firstFile(given: readonly string[] = []): Promise<string | undefined> {
  for (const one of given) if (await isFile(one)) return one;
  return undefined;
}

/**
 * The masks of a case among those that are given, in their order.
 *
 * @param below the target's folder in that of the case, where the case has several
 */
export async function otherMasks(
  given: readonly string[] = [],
  caseId: string,
  below: string | undefined,
): Promise<OtherMask[]> {
  const found = await Promise.all(
    given.map(async (one) => {
      const file = await maskIn(one, caseId, below);
      return file === undefined ? [] : [{ given: one, file }];
    }),
  );
  return found.flat();
}

/** As runs, evaluations and other tools lay out masks by case. */
async function maskIn(
  given: string,
  caseId: string,
  below: string | undefined,
): Promise<string | undefined> {
  const places = [
    ...(below === undefined ? [] : [`${caseId}/${below}/mask.nii.gz`]),
    `${caseId}/mask.nii.gz`,
    `cases/${caseId}/mask.nii.gz`,
    `cases/${caseId}/${PREDICTION.folder}/mask.nii.gz`,
    `${caseId}.nii.gz`,
    `${caseId}.nii`,
  ];
  return firstFile([given, ...places.map((place) => path.join(given, place))]).then(
    (file) => file && path.resolve(file),
  );
}

/** @throws ConfigError where one of them has a mask of none of the cases */
export function refuseUnfound(
  given: readonly string[] = [],
  cases: readonly { readonly others: readonly OtherMask[] }[],
): void {
  const found = new Set(cases.flatMap(({ others }) => others.map((one) => one.given)));
  const missing = given.find((one) => !found.has(one));
  if (missing === undefined) return;
  throw new ConfigError({
    code: 'no-such-file',
    subject: missing,
    expected: 'a mask, a folder of masks named by case, or the folder of another run, for --other',
    found: 'no mask of any of the cases',
    remedy: 'Masks are looked for as CASE/mask.nii.gz and CASE.nii.gz.',
  });
}
