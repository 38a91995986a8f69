import type * as z from 'zod';
import {
  LabelState,
  NextSlice,
  SLICE_HEAD_BYTES,
  type SliceOfCase,
} from '../../core/contract/label-page.ts';
import type { SentSlice } from './drawn-slice.ts';

/** What the page asks its server for. Throws with the server's words. */

export const state = async (): Promise<LabelState> =>
  LabelState.parse(await (await checked(fetch('state.json'))).json());

export const next = async (): Promise<z.infer<typeof NextSlice>> =>
  NextSlice.parse(await (await ask('next', {})).json());

export async function slice(at: SliceOfCase): Promise<SentSlice> {
  const bytes = await (await ask('slice', at)).arrayBuffer();
  const head = new DataView(bytes);
  const [columns, rows] = [head.getUint32(0, true), head.getUint32(4, true)];
  const size = columns * rows;
  return {
    columns,
    rows,
    columnMm: head.getFloat32(8, true),
    rowMm: head.getFloat32(12, true),
    hu: new Int16Array(bytes, SLICE_HEAD_BYTES, size),
    kinds: new Uint8Array(bytes, SLICE_HEAD_BYTES + size * 2, size),
  };
}

export const box = async (
  at: SliceOfCase,
  corners: readonly number[],
  hint: Uint8Array | null,
): Promise<Uint8Array> => {
  const asked = { ...at, box: corners, hint: hint && base64(hint) };
  return new Uint8Array(await (await ask('box', asked)).arrayBuffer());
};

export const save = async (at: SliceOfCase, kinds: Uint8Array): Promise<LabelState> =>
  LabelState.parse(await (await ask('save', { ...at, kinds: base64(kinds) })).json());

const ask = (action: string, asked: unknown): Promise<Response> =>
  checked(fetch(action, { method: 'POST', body: JSON.stringify(asked) }));

async function checked(answering: Promise<Response>): Promise<Response> {
  const answer = await answering.catch(() => {
    throw new Error(
      'NOT SAVED: sammix label no longer answers. Start it again, then load this page again.',
    );
  });
  if (answer.ok) return answer;
  throw new Error(await answer.text());
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
