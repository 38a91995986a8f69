import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../../adapters/dir-store.ts';
import { provenance } from '../../adapters/provenance.ts';
import {
  DataFacts,
  type TrainingAsked,
  type TrainingEvent,
  type TrainingLogLine,
} from '../../core/contract/training-events.ts';
import { ConfigError } from '../../core/errors.ts';
import { putJson, usableJson } from '../../core/json.ts';
import { counted, numberText, percentText } from '../../core/page/format.ts';
import { BUNDLE_MANIFEST, type OpenBundle, openBundle } from '../../core/stage/open-bundle.ts';
import { addLine, bestOf, trainingLog } from '../../core/training/log.ts';
import { type Finished, ok } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { exists } from '../files.ts';
import { duration, type Progress } from '../progress.ts';

export interface Watched {
  readonly asked: TrainingAsked;
  /** The training's own folder. */
  readonly folder: string;
  /** The bundle's. */
  readonly out: string;
  readonly startFolder: string;
  readonly progress: Progress;
}

const DATA = 'data.json';
const REPORT = 'report.html';
/** Between two lines about the loss, as a share of the schedule. */
const LINE_EVERY = 0.05;

/** One training as it goes: lines for the terminal, and its page. */
export class TrainingWatch {
  private readonly watched: Watched;
  private readonly store: DirStore;
  private log: TrainingLogLine[] = [];
  private data: DataFacts | undefined;
  private shown = 0;
  private stoppedAt: number | undefined;

  constructor(watched: Watched) {
    this.watched = watched;
    this.store = new DirStore(watched.folder);
  }

  /** Whether an equal command has left the bundle. */
  async isDone(): Promise<boolean> {
    this.data = await usableJson(this.store, DATA, DataFacts);
    const text = await readFile(path.join(this.watched.folder, 'log.jsonl'), 'utf8').catch(
      () => '',
    );
    this.log = trainingLog(text);
    return this.data !== undefined && exists(path.join(this.watched.out, BUNDLE_MANIFEST));
  }

  /** @throws ConfigError where the trainer refuses */
  async on(event: TrainingEvent): Promise<void> {
    const { progress } = this.watched;
    switch (event.kind) {
      case 'data':
        this.data = event;
        await putJson(this.store, DATA, event);
        progress.line(dataLine(event));
        progress.begin(`training ${this.watched.asked.target}`, '');
        break;
      case 'train':
      case 'validation':
        addLine(this.log, event);
        this.tell(event);
        if (event.kind === 'validation') await this.writePage(undefined);
        break;
      case 'exporting':
        progress.line('writing the bundle, and measuring it on the validation patients');
        break;
      case 'refused':
        throw this.refused(event.reason);
      case 'stopped':
        this.stoppedAt = event.step;
        break;
      case 'done':
        break;
    }
  }

  /** How a training goes on that was stopped. */
  interrupted(): Finished {
    const at = this.stoppedAt === undefined ? '' : ` at step ${this.stoppedAt}`;
    const text = `stopped${at}; the same command goes on`;
    const result = { state: 'stopped', step: this.stoppedAt ?? null };
    return { result, text, exitCode: EXIT.interrupted };
  }

  /** What to print, and the last page. */
  async finish(): Promise<Finished> {
    // Whoever stopped the trainer itself has stopped the training.
    if (this.stoppedAt !== undefined) return this.interrupted();
    const { out, folder } = this.watched;
    const bundle = await openBundle(new DirStore(out), out);
    await this.writePage(bundle);
    const best = bestOf(this.log);
    const result = {
      state: 'done',
      bundle: out,
      digest: bundle.digest,
      name: bundle.manifest.name,
      validationDice: best?.dice ?? null,
      report: path.join(folder, REPORT),
    };
    const lines = [
      `done    ${out}: ${bundle.manifest.name}, Dice ${numberText(best?.dice, 3)} per slice on the validation patients`,
      `report  ${result.report}; card ${path.join(out, 'MODEL_CARD.md')}`,
      ...this.commands().map((command, n) => `${n === 0 ? 'use it ' : '       '} ${command}`),
    ];
    return ok(result, lines.join('\n'));
  }

  private tell(event: TrainingLogLine): void {
    const { progress } = this.watched;
    const at = `step ${event.step} (${percentText(event.progress, 0)}, ${duration(event.elapsed_s * 1000)})`;
    if (event.kind === 'validation') {
      const best = bestOf(this.log)!;
      const mark =
        best === event ? ', the best so far' : `; the best is ${numberText(best.dice, 3)}`;
      progress.line(
        `${at}: Dice ${numberText(event.dice, 3)} on the validation patients${mark}; AUC ${numberText(event.auc, 3)}`,
      );
    } else if (event.progress - this.shown >= LINE_EVERY) {
      this.shown = event.progress;
      progress.line(
        `${at}: loss ${numberText(event.seg, 3)}, classifier ${numberText(event.cls, 3)}`,
      );
    }
    progress.update(Math.round(100 * event.progress), 100, { unit: '%' });
  }

  private async writePage(bundle: OpenBundle | undefined): Promise<void> {
    if (this.data === undefined) return;
    // Loaded when needed: the charting library costs more to load than a short command runs.
    const { trainingPage } = await import('../../core/training/page.ts');
    const text = trainingPage({
      asked: this.watched.asked,
      data: this.data,
      log: this.log,
      bundle,
      startFrom: this.watched.startFolder,
      createdAt: new Date().toISOString(),
      sammixVersion: provenance(null).sammixVersion,
      commands: this.commands(),
    });
    await this.store.put(REPORT, Buffer.from(text));
  }

  private commands(): string[] {
    const { out, asked } = this.watched;
    const [bundle, dataset] = [quoted(out), quoted(asked.dataset)];
    const names = asked.target.split('+').map((name) => `--label-name ${quoted(name)}`);
    return [
      `sammix run SCANS --bundle ${bundle} --out results`,
      `sammix evaluate ${dataset} --bundle ${bundle} ${names.join(' ')} --out evaluation`,
    ];
  }

  private refused(reason: string): ConfigError {
    return new ConfigError({
      code: 'training-refused',
      subject: 'the trainer',
      expected: 'data and options that can be trained',
      found: reason,
      remedy: 'Change what it names and run the same command.',
    });
  }
}

const dataLine = (data: DataFacts): string =>
  [
    data.step > 0 ? `going on at step ${data.step} with` : 'learning from',
    `${counted(data.labelledSlices, 'labelled slice')}, ${data.emptySlices} empty`,
    `and ${data.unlabelledSlices} unlabelled ones of ${counted(data.trainingPatients, 'patient')};`,
    `validating on ${data.validationSlices} of ${counted(data.validationPatients, 'patient')}; ${data.machine}`,
  ].join(' ');

/** For a shell, where it needs to be. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
