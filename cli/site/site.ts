import type { Command } from 'commander';
import { addCommands, type CommandEntry } from '../command.ts';

const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    description: 'write a commented site file with every default',
    load: () => import('./init.ts'),
  },
  {
    name: 'doctor',
    description: 'look at what a site needs, before and after its deployment; changes nothing',
    load: () => import('./doctor.ts'),
  },
  {
    name: 'register',
    description: 'verify a model bundle and upload it to a site',
    load: () => import('./register.ts'),
  },
  {
    name: 'submit',
    description: 'upload images (and labels) to a site, where they are segmented',
    load: () => import('./submit.ts'),
  },
  {
    name: 'train',
    description: 'start a training at a site; its bundle becomes a candidate for promotion',
    load: () => import('./train.ts'),
  },
  {
    name: 'status',
    description: 'show what became of the uploads of a site, and what they cost',
    load: () => import('./status.ts'),
  },
  {
    name: 'fetch',
    description: 'download the newest masks and reports of a site',
    load: () => import('./fetch.ts'),
  },
  {
    name: 'view',
    description: 'print a short-lived address of the viewer with cases of a site',
    load: () => import('./view.ts'),
  },
  {
    name: 'evaluate',
    description: 'measure a bundle on the labelled cases of a dataset of a site',
    load: () => import('./evaluate.ts'),
  },
  {
    name: 'promote',
    description:
      'measure a candidate beside the active bundle, and activate it if the gate lets it',
    load: () => import('./promote.ts'),
  },
  {
    name: 'purge',
    description: 'remove every trace of a case from a site (shows them first; --yes removes)',
    load: () => import('./purge.ts'),
  },
  {
    name: 'rollback',
    description: 'go back to the bundle that was active before',
    load: () => import('./rollback.ts'),
  },
];

/** `sammix site ...`: what a person does with a deployed site. */
export const define = (site: Command): Promise<void> =>
  addCommands(site, COMMANDS, process.argv.slice(3));
