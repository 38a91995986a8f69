import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError, SammixError } from '../core/errors.ts';
import type { ByteStream } from '../core/ports.ts';

/** One thing that the server hands out. */
export interface Served {
  readonly contentType: string;
  /** Called for every request. Throws `SammixError` where the file has gone. */
  readonly open: () => ByteStream;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Everything that the server hands out, by path below its secret: `''` is the page. */
export type Routes = ReadonlyMap<string, Served>;

/** What a page may ask to be done, by path below the secret: the body of a POST in, an answer out. */
export type Actions = ReadonlyMap<string, (body: Uint8Array) => Promise<Uint8Array>>;

/** A slice's mask as text is a tenth of it. */
const LARGEST_BODY_BYTES = 32 * 2 ** 20;

export interface ViewServer {
  /** With the secret in it: whoever has it, on this machine, may look. */
  readonly url: string;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** With any port: at the other end of an SSH tunnel this machine's is another. */
const OWN_NAMES = /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/;

/**
 * Serves a fixed table of routes to this machine only: listens on the loopback interface; refuses
 * other names of it in `Host`, behind which a web page could reach it (DNS rebinding); and asks for a
 * secret in the path, which other users of the machine do not have.
 *
 * @param port 0 takes a free one
 * @throws ConfigError (`port-in-use`)
 */
export async function serveView(
  routes: Routes,
  port: number,
  actions: Actions = new Map(),
): Promise<ViewServer> {
  const secret = randomBytes(18).toString('base64url');
  const server = createServer((request, response) => {
    answer(secret, { routes, actions }, request, response).catch((error: unknown) =>
      fail(response, error),
    );
  });
  await listen(server, port);
  return {
    url: `http://${LOOPBACK}:${portOf(server)}/${secret}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(portFault(port, cause)));
    server.listen(port, LOOPBACK, () => resolve());
  });
}

const portFault = (port: number, cause: NodeJS.ErrnoException): Error =>
  new ConfigError(
    {
      code: cause.code === 'EADDRINUSE' ? 'port-in-use' : 'port-refused',
      subject: `port ${port}`,
      expected: 'a port of this machine that is free',
      found: cause.code ?? cause.message,
      remedy: 'Name another with --port, or leave it out.',
    },
    { cause },
  );

/** On every answer, refusals included. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

async function answer(
  secret: string,
  { routes, actions }: { readonly routes: Routes; readonly actions: Actions },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  if (!OWN_NAMES.test(request.headers.host ?? '')) return refuse(response, 403);
  const [given, route] = splitPath(request.url ?? '');
  const action = sameText(given, secret) ? actions.get(route) : undefined;
  if (request.method === 'POST' && action) return act(action, request, response);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);
  // Routes are looked up as they stand: there is no path to walk out of.
  const served = sameText(given, secret) ? routes.get(route) : undefined;
  if (!served) return refuse(response, 404);
  for (const [name, value] of Object.entries(served.headers ?? {})) response.setHeader(name, value);
  response.setHeader('Content-Type', served.contentType);
  if (request.method === 'HEAD') return void response.end();
  const bytes = await begun(served.open());
  await pipeline(Readable.from(bytes, { objectMode: false }), response);
}

async function act(
  action: (body: Uint8Array) => Promise<Uint8Array>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { origin, host } = request.headers;
  // Browsers say which page asks: only the one that came from here may.
  if (origin !== undefined && origin !== `http://${host}`) return refuse(response, 403);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > LARGEST_BODY_BYTES) return refuse(response, 413);
    chunks.push(chunk);
  }
  try {
    const answered = await action(Buffer.concat(chunks));
    response.setHeader('Content-Type', 'application/octet-stream');
    response.end(answered);
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    response.statusCode = 409;
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.end(error.message);
  }
}

/** The stream with its first chunk read, so that a file that is not there can still be answered 404. */
async function begun(stream: ByteStream): Promise<ByteStream> {
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  })();
}

/** `/secret/some/route?ignored` as its two parts, as they were sent: nothing decoded, nothing resolved. */
function splitPath(url: string): readonly [secret: string, route: string] {
  const [pathname = ''] = url.split('?', 1);
  const [, secret = '', ...rest] = pathname.split('/');
  return [secret, rest.join('/')];
}

const sameText = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
};

const refuse = (response: ServerResponse, status: number): void => {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`${status}\n`);
};

/** A file that has gone is the reader's to know of; a closed tab is nothing. */
function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  refuse(response, error instanceof SammixError ? 404 : 500);
}
