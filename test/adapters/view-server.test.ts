import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Served, serveView, type ViewServer } from '../../adapters/view-server.ts';
import { StorageError } from '../../core/errors.ts';
import { once } from '../support/case.ts';

const text = (content: string): Served => ({
  contentType: 'text/plain',
  headers: { 'Content-Security-Policy': "default-src 'none'" },
  open: () => once(Buffer.from(content)),
});

const gone: Served = {
  contentType: 'text/plain',
  open: async function* () {
    yield* [];
    throw new StorageError({
      code: 'blob-missing',
      subject: 'a file',
      expected: 'a file',
      found: 'none',
      remedy: 'Check the path.',
    });
  },
};

let server: ViewServer;
let url: URL;
beforeAll(async () => {
  const routes = new Map([
    ['', text('the page')],
    ['cases/0/mask', text('the mask')],
    ['cases/0/gone', gone],
  ]);
  server = await serveView(routes, 0);
  url = new URL(server.url);
});
afterAll(() => server.close());

/** Unlike `fetch`, sends any `Host` and any path as they are. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; body: string; headers: IncomingMessage['headers'] }>(
    (resolve, reject) => {
      const { hostname, port } = url;
      request({ hostname, port, path, method, headers }, (answer) => {
        let body = '';
        answer.on('data', (chunk) => {
          body += chunk;
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, body, headers: answer.headers }),
        );
      })
        .on('error', reject)
        .end();
    },
  );
}

describe('the view server', () => {
  it('hands out its routes below its secret, with headers that keep them to the page', async () => {
    const page = await ask(url.pathname);
    expect(page).toMatchObject({ status: 200, body: 'the page' });
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(await ask(`${url.pathname}cases/0/mask?x=1`)).toMatchObject({ body: 'the mask' });
    expect(await ask(url.pathname, {}, 'HEAD')).toMatchObject({ status: 200, body: '' });
    // Long enough that nobody guesses it: 18 random bytes.
    expect(url.pathname).toMatch(/^\/[\w-]{24}\/$/);
  });

  it.each([
    'evil.example',
    'evil.example:PORT',
    'localhost.evil.example:PORT',
    '127.0.0.1.evil.example',
    'evil.example/localhost:PORT',
    '[::1]:PORT',
  ])('refuses the host name %j, behind which another site may stand', async (host) => {
    const answer = await ask(url.pathname, { host: host.replace('PORT', url.port) });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain('the page');
  });

  it('takes localhost for what it is', async () => {
    expect((await ask(url.pathname, { host: `localhost:${url.port}` })).status).toBe(200);
  });

  it.each(['localhost:9000', '127.0.0.1:65535', 'localhost'])(
    'answers under %s, as it is called at the other end of an SSH tunnel',
    async (host) => {
      expect((await ask(url.pathname, { host })).status).toBe(200);
    },
  );

  it.each([
    '/',
    '/cases/0/mask',
    '/wrong-secret/cases/0/mask',
    'SECRET../../etc/passwd',
    'SECRETcases/../../../../etc/passwd',
    'SECRETcases/0/..%2f..%2f..%2fetc%2fpasswd',
    'SECRET%2e%2e/%2e%2e/etc/passwd',
    'SECRET/etc/passwd',
    'SECRETcases/0/mask/',
    'SECRETcases\\0\\mask',
    'SECRETconstructor',
  ])('knows nothing at %s', async (path) => {
    const answer = await ask(path.replace('SECRET', url.pathname));
    expect(answer.status).toBe(404);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('refuses %s', async (method) => {
    expect((await ask(url.pathname, {}, method)).status).toBe(405);
  });

  it('says 404 where a file has gone meanwhile', async () => {
    expect((await ask(`${url.pathname}cases/0/gone`)).status).toBe(404);
  });

  it('answers a request line that is no address', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket: Socket = connect(Number(url.port), '127.0.0.1', () =>
        socket.end(`GET //: HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`),
      );
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(received));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('listens on the loopback interface only', async () => {
    const outward = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal);
    for (const { address } of outward) {
      const connected = await new Promise<boolean>((resolve) => {
        const socket = connect(Number(url.port), address, () => resolve(true));
        socket.on('error', () => resolve(false));
      });
      expect(connected).toBe(false);
    }
    expect(url.hostname).toBe('127.0.0.1');
  });

  it('says so where the port is taken', async () => {
    await expect(serveView(new Map(), Number(url.port))).rejects.toMatchObject({
      code: 'port-in-use',
    });
  });
});
