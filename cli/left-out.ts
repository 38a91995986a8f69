import path from 'node:path';

/** Why something that was seen is not taken. */
export type LeftOutReason = keyof typeof REASONS;

const REASONS = {
  label: 'labels, or what looks like them',
  'further-channel': 'further channels (_0001 and on, beside _0000)',
  'no-axial-ct': 'DICOM series or files that are no axial CT',
  'other-format': 'files of other formats',
  'header-missing': '.img files without a .hdr',
  hidden: 'hidden files',
  'own-result': 'results of an earlier sammix run',
  excluded: 'folders named for something else on the command line',
  'seen-twice': 'links to files that are taken already',
  'link-loop': 'links that lead back to a folder above them',
  'too-deep': 'folders nested too deep',
} as const;

export interface LeftOut {
  readonly path: string;
  readonly reason: LeftOutReason;
  /** Of one, where there is more to say than the reason. */
  readonly why?: string;
}

export interface LeftOutCount {
  readonly reason: LeftOutReason;
  readonly meaning: string;
  readonly count: number;
  readonly paths: readonly string[];
}

/** What was seen and not taken, by reason. */
export function leftOutCounts(leftOut: readonly LeftOut[]): LeftOutCount[] {
  return (Object.keys(REASONS) as LeftOutReason[]).flatMap((reason) => {
    const paths = leftOut.filter((one) => one.reason === reason).map((one) => one.path);
    return paths.length === 0
      ? []
      : [{ reason, meaning: REASONS[reason], count: paths.length, paths }];
  });
}

/** One line a reason, with the first few by name. */
export const leftOutLines = (leftOut: readonly LeftOut[]): string[] =>
  leftOutCounts(leftOut).flatMap(({ reason, meaning, count, paths }) => {
    const told = leftOut.filter((one) => one.reason === reason).flatMap(({ why }) => why ?? []);
    if (told.length > 0) return told.map((why) => `not taken: ${why}`);
    const shown = paths
      .slice(0, 3)
      .map((file) => path.join(path.basename(path.dirname(file)), path.basename(file)));
    return `not taken: ${meaning}: ${count} (${shown.join(', ')}${count > 3 ? ', ...' : ''})`;
  });
