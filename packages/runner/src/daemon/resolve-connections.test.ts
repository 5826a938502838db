import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../config/load.ts';
import { UserError } from '../user-error.ts';
import { type ConnectionFlags, resolveConnections, type ResolvedConnections } from './resolve-connections.ts';

let temp: TempFolder;
beforeEach(async () => {
  temp = await openTempFolder();
  await temp.write({ token: 'fromfile\n', wrong: 'no token!', 'ca.pem': '-----BEGIN CERTIFICATE-----\n' });
});
afterEach(() => temp[Symbol.asyncDispose]());

const uuid = '0a1b2c3d-0000-4000-8000-0123456789ab';

function resolve(yaml: string, flags: ConnectionFlags = {}): Promise<ResolvedConnections> {
  return resolveConnections({ config: readConfig(yaml, 'c.yml'), flags, env: {}, cwd: temp.path });
}

async function problemsOf(resolving: Promise<unknown>): Promise<readonly string[]> {
  const error = await resolving.catch((error: unknown) => error);
  if (!(error instanceof UserError)) throw new Error(`expected a UserError, found ${String(error)}`);
  return [error.code, ...error.message.split('\n')];
}

const connection = (name: string, more: string): string => `    ${name}: { uuid: ${uuid}, ${more} }\n`;
const server = (...connections: readonly string[]): string => `server:\n  connections:\n${connections.join('')}`;

it('opens every connection of the configuration with its own settings', async () => {
  const { connections } = await resolve(
    server(
      connection('a', 'url: "https://a.example/git/", token: abc, fetch_interval: 7s, ca_file: ca.pem'),
      connection('b', 'url: "https://codeberg.org", token_url: "file:token", codec: binary'),
    ),
  );
  expect(connections).toMatchObject([
    { name: 'a', address: { baseUrl: 'https://a.example/git' }, token: 'abc', fetchIntervalMs: 7000, codec: 'json' },
    // Codeberg asks for that.
    { name: 'b', token: 'fromfile', fetchIntervalMs: 30_000, codec: 'binary' },
  ]);
  expect(connections[0]?.ca).toContain('BEGIN CERTIFICATE');
});

it('tells all that is wrong with connections, with places and without secrets', async () => {
  const problems = await problemsOf(
    resolve(
      server(
        connection('a', 'url: "ftp://x", token: abc'),
        connection('b', 'url: "https://x", token_url: "file:missing"'),
        connection('c', 'url: "https://x", token_url: "file:wrong"'),
        connection('d', 'url: "https://x", token: abc, ca_file: token'),
        `    e: { uuid: nonsense, url: "https://x", token: abc }\n`,
      ),
    ),
  );
  expect(problems).toEqual([
    'FRR201',
    expect.stringMatching(/^c\.yml:3:\d+: expected the address of an instance .* found "ftp:\/\/x"$/),
    expect.stringMatching(/^c\.yml:4:\d+: server\.connections\.b\.token_url: .* found ENOENT$/),
    expect.stringMatching(/^c\.yml:5:\d+: server\.connections\.c\.token_url: expected a token of letters and digits/),
    expect.stringMatching(/^c\.yml:6:\d+: server\.connections\.d\.ca_file: .* found no certificate in it$/),
    expect.stringMatching(/^c\.yml:7:\d+: server\.connections\.e\.uuid: expected a UUID, found "nonsense"$/),
  ]);
  expect(problems.join('')).not.toMatch(/no token!|fromfile/);
});

it('takes a connection from flags, with labels of its own', async () => {
  const flags = { url: 'https://x.example', uuid, tokenUrl: 'file:token', label: ['a:host'], fetchInterval: '9s' };
  const { connections, labels } = await resolve('runner: { labels: ["b:host"] }', flags);
  expect(connections).toMatchObject([{ name: 'default', token: 'fromfile', fetchIntervalMs: 9000 }]);
  expect(labels).toMatchObject([{ name: 'b' }, { name: 'a', connection: 'default' }]);
});

it('tells all that is wrong with flags', async () => {
  expect(await problemsOf(resolve('', { uuid: 'x', fetchInterval: 'soon', label: [' : '] }))).toEqual([
    'FRR101',
    'expected the flag --url as well',
    'expected the flag --token-url as well',
    expect.stringContaining('--uuid: expected a UUID'),
    expect.stringContaining('--fetch-interval: expected a duration'),
    expect.stringContaining('--label: '),
  ]);
});

const runnerFile = JSON.stringify({
  uuid,
  token: 'abc',
  address: 'https://x.example',
  name: 'mine',
  labels: ['a:host'],
});

it('takes the identity of a registration, whose labels count where the configuration has none', async () => {
  await temp.write({ '.runner': runnerFile });
  const own = await resolve('');
  expect(own.connections).toMatchObject([{ name: 'mine', token: 'abc', file: { path: temp.join('.runner') } }]);
  expect(own.labels).toMatchObject([{ name: 'a' }]);
  expect((await resolve('runner: { labels: ["b:host"] }')).labels).toMatchObject([{ name: 'b' }]);
});

it('takes connections from one source only, and says which there are', async () => {
  await temp.write({ '.runner': runnerFile });
  const problems = await problemsOf(
    resolve(server(connection('a', 'url: "https://x", token: abc')), { url: 'https://y' }),
  );
  expect(problems[1]).toBe(
    'expected connections from one source, found flags of the command line and server.connections and the file ".runner"',
  );
});
