/**
 * Errors that a user can act on. Every one says what was expected, what was found, in which case or
 * file, and what to do; anything else that is thrown is a defect of ours and keeps its stack.
 */

/** What is wrong, in which file or setting, and what to do about it. */
export interface Fault {
  /** Stable machine-readable reason, kebab-case, e.g. `truncated-gzip`. */
  readonly code: string;
  /** The file, case, bundle or setting that is at fault. */
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
  /** What the reader can do about it. */
  readonly remedy: string;
}

/** One finding of the preflight: errors refuse an input, warnings do not. */
export interface Problem {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly remedy: string;
}

/** A fault in one line, as messages and progress lines show it. */
export const faultText = ({ subject, expected, found, remedy }: Omit<Fault, 'code'>): string =>
  `${subject}: expected ${expected}, found ${found}. ${remedy}`;

export class SammixError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, options?: { cause?: unknown }) {
    super(faultText(fault), options);
    this.name = new.target.name;
    this.fault = fault;
  }

  get code(): string {
    return this.fault.code;
  }
}

/** The input image or label cannot be processed; the case is quarantined with this reason. */
export class InputError extends SammixError {}

/** The input was read to its end and refused; the fault is the first of the errors found. */
export class PreflightError extends InputError {
  /** All that speaks against the input, warnings included. */
  readonly problems: readonly Problem[];

  constructor(fault: Fault, problems: readonly Problem[]) {
    super(fault);
    this.problems = problems;
  }
}

/** The ONNX bundle is incomplete, corrupted or not of this version. */
export class BundleError extends SammixError {}

/** Image and label (or prediction) do not lie on the same grid. */
export class GeometryError extends SammixError {}

/** A command line, environment or site setting is wrong. */
export class ConfigError extends SammixError {}

export const DEFECT = 'defect';

/** A defect of ours that met one case: the others are done before it is told. */
export class DefectError extends SammixError {
  constructor(subject: string, cause: unknown) {
    const fault = {
      code: DEFECT,
      subject,
      expected: 'no defect of sammix',
      found: cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause),
      remedy: 'Please report it with the stack that was printed.',
    };
    super(fault, { cause });
  }
}

/** The storage refused: no permission, no space, object gone. */
export class StorageError extends SammixError {}
