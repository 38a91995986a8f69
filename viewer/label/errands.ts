import { byId } from '../dom.ts';

/** What is asked of the server, one after the other; what fails is said and not forgotten by the next success. */

let queue: Promise<unknown> = Promise.resolve();
let blocking = 0;

/** While another slice or mask is on its way nothing is drawn; saving does not keep the hand waiting. */
export const isBlocked = (): boolean => blocking > 0;

export function say(text: string, kind: '' | 'fault' = ''): void {
  byId('message').textContent = text;
  byId('message').className = kind;
}

export function later(work: () => Promise<void>, { blocks = true } = {}): void {
  document.body.dataset.state = 'busy';
  if (blocks) blocking += 1;
  const mine = queue.then(work).catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error), 'fault');
  });
  queue = mine;
  void mine.then(() => {
    if (blocks) blocking -= 1;
    if (queue === mine) document.body.dataset.state = 'ready';
  });
}
