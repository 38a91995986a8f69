// node test/docker-steps.mjs CONTEXT [--base ROOT] [--work DIR] [--substitute FROM=>TO ...] [--check COMMAND]
//
// Carries out a Dockerfile without a container engine: its steps run by chroot in a plain Debian root
// (debootstrap's; root's rights needed). What stands for the base images is said as it goes. A text of a
// RUN step can be substituted where this machine cannot do what it says; that is said too. `--check`
// runs last, as the image's user, in its work folder, with nothing but the image's environment.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    base: { type: 'string' },
    work: { type: 'string' },
    substitute: { type: 'string', multiple: true, default: [] },
    check: { type: 'string', multiple: true, default: [] },
  },
});
const [context] = positionals;
if (context === undefined) throw new Error('name the folder with the Dockerfile');
const work = values.work ?? mkdtempSync(path.join(tmpdir(), 'sammix-docker-'));
mkdirSync(work, { recursive: true });
const base = values.base ?? debootstrap(path.join(work, 'debian'));
const substitutes = values.substitute.map((pair) => pair.split('=>'));

/** Programs that a base image brings, on a plain Debian root: how they come there instead. */
const BASES = [
  {
    image: /^node:/,
    says: "this machine's own Node and npm",
    make: (root) => {
      const prefix = path.dirname(path.dirname(process.execPath));
      copy(process.execPath, path.join(root, 'usr/local/bin/node'));
      copy(
        path.join(prefix, 'lib/node_modules/npm'),
        path.join(root, 'usr/local/lib/node_modules/npm'),
      );
      run([
        'ln',
        '-sf',
        '../lib/node_modules/npm/bin/npm-cli.js',
        path.join(root, 'usr/local/bin/npm'),
      ]);
    },
  },
  {
    image: /^python:/,
    says: "Debian's Python with pip",
    make: (root) => {
      inRoot(
        root,
        '/',
        {},
        'apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-pip > /dev/null',
      );
      inRoot(root, '/', {}, 'rm -f /usr/lib/python3*/EXTERNALLY-MANAGED');
      inRoot(root, '/', {}, 'ln -sf python3 /usr/bin/python');
    },
  },
  { image: /^nvidia\/cuda:/, says: 'nothing: no CUDA and no GPU', make: () => undefined },
];

/** What a container engine takes from its host: names, certificates, settings of package managers. */
const HOST_FILES = [
  'etc/resolv.conf',
  'etc/ssl/certs',
  'usr/local/share/ca-certificates',
  'etc/pip.conf',
  'root/.npmrc',
  'etc/apt/apt.conf.d',
  'etc/apt/sources.list.d/debian.sources',
];
const HOST_VARIABLES = /^(PIP_|NPM_CONFIG_|npm_config_|NODE_EXTRA_CA_CERTS|SSL_CERT|HTTPS?_PROXY)/;

const stages = new Map();
let stage;
for (const { name, argument } of instructions(path.join(context, 'Dockerfile'))) {
  console.log(`${name} ${argument}`);
  STEPS()[name]?.(argument);
}
for (const command of values.check) {
  console.log(`CHECK ${command}`);
  inRoot(stage.root, stage.folder, stage.env, command, stage.user);
}
console.log(`done: every step of ${path.join(context, 'Dockerfile')}; the root is ${stage.root}`);

function STEPS() {
  return {
    FROM: from,
    WORKDIR: (folder) => {
      stage.folder = folder;
      mkdirSync(path.join(stage.root, folder), { recursive: true });
    },
    ENV: (text) => {
      for (const [, key, value] of text.matchAll(/(\w+)=("[^"]*"|\S+)/g))
        stage.env[key] = value.replace(/^"|"$/g, '');
    },
    COPY: copyStep,
    RUN: (command) => inRoot(stage.root, stage.folder, stage.env, substituted(command)),
    USER: (user) => {
      stage.user = user;
    },
  };
}

function from(argument) {
  const [image, , name] = argument.split(/\s+/);
  const known = BASES.find((one) => one.image.test(image));
  if (!known) throw new Error(`nothing stands for the base image ${image}`);
  console.log(`  in its place: Debian, and ${known.says}`);
  const root = path.join(work, `stage${stages.size}`);
  rmSync(root, { recursive: true, force: true });
  run(['cp', '-a', base, root]);
  for (const file of HOST_FILES)
    if (existsSync(path.join('/', file))) copy(path.join('/', file), path.join(root, file));
  stage = { root, folder: '/', env: {}, user: undefined };
  stages.set(name ?? String(stages.size), stage);
  known.make(root);
}

function copyStep(argument) {
  const words = argument.split(/\s+/);
  const fromStage = words[0].startsWith('--from=')
    ? words.shift().slice('--from='.length)
    : undefined;
  const source = fromStage === undefined ? context : stages.get(fromStage).root;
  const target = path.resolve(stage.folder, words.at(-1));
  for (const word of words.slice(0, -1).flatMap((pattern) => matching(source, pattern))) {
    const isFolder = words.at(-1).endsWith('/');
    const to = isFolder ? path.join(target, path.basename(word)) : target;
    copy(path.join(source, word), path.join(stage.root, to));
  }
}

/** The names that a pattern of COPY stands for, in the folder that it names. */
function matching(source, pattern) {
  if (!pattern.includes('*')) return [pattern];
  const folder = path.dirname(pattern);
  const parts = path
    .basename(pattern)
    .split('*')
    .map((text) => text.replace(/\W/g, '\\$&'));
  const name = new RegExp(`^${parts.join('.*')}$`);
  const found = readdirSync(path.join(source, folder)).filter((file) => name.test(file));
  if (found.length === 0) throw new Error(`nothing in the context is named ${pattern}`);
  return found.map((file) => path.join(folder, file));
}

function substituted(command) {
  return substitutes.reduce((text, [what, by]) => {
    if (!text.includes(what)) return text;
    console.log(`  in place of "${what}": "${by}"`);
    return text.replaceAll(what, by);
  }, command);
}

/** Instructions of a Dockerfile, comments and line continuations undone. */
function instructions(file) {
  const text = readFileSync(file, 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ');
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => /^(\w+)\s+(.*)$/.exec(line.replace(/\s+/g, ' ')))
    .map(([, name, argument]) => ({ name, argument }));
}

function inRoot(root, folder, env, command, user) {
  const host = Object.entries(process.env).filter(([name]) => HOST_VARIABLES.test(name));
  const variables = {
    ...(user === undefined ? Object.fromEntries(host) : {}),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    DEBIAN_FRONTEND: 'noninteractive',
    ...env,
  };
  const shell = `cd '${folder}' && { ${command}\n}`;
  const as = user === undefined ? [] : [`--userspec=${user}:${user}`];
  run(['chroot', ...as, root, '/bin/sh', '-c', shell], variables);
}

function copy(source, target) {
  mkdirSync(path.dirname(target), { recursive: true });
  run(['cp', '-aLT', '--remove-destination', source, target]);
}

function debootstrap(root) {
  if (existsSync(path.join(root, 'etc/debian_version'))) return root;
  run(['debootstrap', '--variant=minbase', '--include=ca-certificates', 'bookworm', root]);
  return root;
}

function run([command, ...words], env = process.env) {
  const { status, error } = spawnSync(command, words, { stdio: 'inherit', env });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
}
