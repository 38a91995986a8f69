/** Exit codes of the `sammix` command; part of its interface, listed in docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** At least one case failed or has errors; the others were done. */
  someCasesFailed: 1,
  /** The command line or a setting is wrong; nothing was done. */
  usage: 2,
  /** The bundle is missing, corrupted or not understood. */
  bundle: 3,
  /** The output cannot be written: permission, full disk. */
  storage: 4,
  /** The promotion gate refused the candidate; the active bundle stays. */
  refused: 5,
  /** `site doctor` found a problem, or could not look at something. */
  unfit: 6,
  /** `site purge`: something of the case is still there. */
  tracesLeft: 7,
  /** A defect of ours: please report it with the message. */
  defect: 70,
  /** Stopped by SIGINT (128 + 2); finished slabs are kept and the next run goes on from them. */
  interrupted: 130,
} as const;
