import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { callContext, eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConfiguredEndpoint } from '../src/open-endpoint.ts';
import { hasEngine, socketPath } from './docker-fixture.ts';
import { canOwnEngine, startOwnEngine } from './own-engine-fixture.ts';

let folder: TempFolder;

const openssl = (...args: readonly string[]): void =>
  void execFileSync('openssl', args, { cwd: folder.path, stdio: 'pipe' });

/** An authority, and what it signs, as Docker's documentation has it. */
async function makeCertificates(): Promise<void> {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
    '-keyout',
    'ca-key.pem',
    '-out',
    'ca.pem',
  );
  for (const [name, extension] of [
    ['server', 'subjectAltName=IP:127.0.0.1,DNS:engine.example\nextendedKeyUsage=serverAuth'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    await folder.write({ [`${name}.ext`]: extension });
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}-key.pem`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca-key.pem',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  }
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=stranger',
    '-keyout',
    'stranger-key.pem',
    '-out',
    'stranger.pem',
  );
}

/** The engine at a port, with TLS or without. */
async function proxy(tls: boolean): Promise<AsyncDisposable & { readonly port: number }> {
  const open = new Set<Socket>();
  const forward = (client: Socket | TLSSocket): void => {
    const engine = connect(socketPath);
    for (const [one, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => open.delete(one));
      one.pipe(other);
    }
  };
  const file = (name: string): Buffer => readFileSync(folder.join(name));
  const server = tls
    ? createTlsServer(
        {
          ca: file('ca.pem'),
          cert: file('server.pem'),
          key: file('server-key.pem'),
          requestCert: true,
          rejectUnauthorized: true,
        },
        forward,
      )
    : createTcpServer(forward);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const tlsFiles = (name = 'client') => ({
  ca: folder.join('ca.pem'),
  cert: folder.join(`${name}.pem`),
  key: folder.join(`${name}-key.pem`),
});

interface SshServer extends AsyncDisposable {
  readonly port: number;
  /** Ends all connections, but not the server. */
  readonly cut: () => void;
}

/** A server for ssh that only knows one key. */
async function startSshd(): Promise<SshServer> {
  for (const name of ['host_key', 'user_key'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', folder.join(name)]);
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await folder.write({
    authorized_keys: readFileSync(folder.join('user_key.pub')),
    sshd_config: [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${folder.join('host_key')}`,
      `AuthorizedKeysFile ${folder.join('authorized_keys')}`,
      'StrictModes no',
      'PasswordAuthentication no',
      'UsePAM no',
      `PidFile ${folder.join('sshd.pid')}`,
      '',
    ].join('\n'),
    known_hosts: `[127.0.0.1]:${port} ${readFileSync(folder.join('host_key.pub'), 'utf8')}`,
    // A stand-in for ssh that brings its configuration along: that of the user of the tests is not ours to change.
    'bin/ssh': `#!/bin/sh\nexec /usr/bin/ssh -F '${folder.join('ssh_config')}' "$@"\n`,
    ssh_config: `Host *\n  IdentityFile ${folder.join('user_key')}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${folder.join('known_hosts')}\n`,
  });
  execFileSync('chmod', ['0755', folder.join('bin/ssh')]);
  // It wants its folder, and to be started by its whole path.
  await mkdir('/run/sshd', { recursive: true }).catch(() => {});
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', folder.join('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await eventually(() => log.includes('Server listening'), { what: 'sshd', timeoutMs: 20_000 });
  const sessions = (): readonly string[] =>
    execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .flatMap(([pid = '', parent]) => (parent === String(child.pid) ? [pid] : []));
  return {
    port,
    cut: () => {
      for (const pid of sessions()) process.kill(Number(pid), 'SIGKILL');
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, 'close');
      for (const pid of sessions()) process.kill(Number(pid), 'SIGKILL');
      child.kill();
      await closed;
    },
  };
}

/** Processes of ssh that belong to this test. */
function sshProcesses(): readonly string[] {
  return execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(folder.path) && /\bssh -/.test(line));
}

describe.skipIf(!hasEngine)('an engine', () => {
  beforeAll(async () => {
    folder = await openTempFolder();
    await makeCertificates();
  });
  afterAll(async () => {
    await folder[Symbol.asyncDispose]();
  });

  it('is reached by TCP', async () => {
    await using server = await proxy(false);
    await using endpoint = await openConfiguredEndpoint(`tcp://127.0.0.1:${server.port}`, callContext());
    expect(endpoint.descriptor).toMatchObject({ publishedHost: '127.0.0.1', binds: 'target-paths' });
    expect(await endpoint.client.ping()).toBeTruthy();
  });

  it('is reached by TCP with certificates on both sides, streams included', async () => {
    await using server = await proxy(true);
    const address = `tcp://127.0.0.1:${server.port}`;
    await using endpoint = await openConfiguredEndpoint({ address, tls: tlsFiles() }, callContext());
    expect(endpoint.facts.kind).toBe('docker');
    const events = await endpoint.client.getEvents({ until: Math.ceil(Date.now() / 1000) });
    events.resume();
    await once(events, 'end');
  });

  it('is reached under another name than its address', async () => {
    await using server = await proxy(true);
    const address = `tcp://localhost:${server.port}`;
    const named = openConfiguredEndpoint(
      { address, tls: { ...tlsFiles(), server_name: 'engine.example' } },
      callContext(),
    );
    await (await named)[Symbol.asyncDispose]();
    await expect(
      openConfiguredEndpoint({ address, tls: { ...tlsFiles(), server_name: 'other.example' } }, callContext()),
    ).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('cannot trust the engine'),
    });
  });

  it('is not trusted with the certificate of another authority', async () => {
    await using server = await proxy(true);
    const address = `tcp://127.0.0.1:${server.port}`;
    await expect(
      openConfiguredEndpoint({ address, tls: { ...tlsFiles(), ca: folder.join('stranger.pem') } }, callContext()),
    ).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('cannot trust the engine'),
    });
    await expect(
      openConfiguredEndpoint({ address, tls: { ...tlsFiles(), key: folder.join('server-key.pem') } }, callContext()),
    ).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('cannot use the certificate or key'),
    });
  });

  it.skipIf(!canOwnEngine)('does not trust the certificate of another authority', async () => {
    await using engine = await startOwnEngine({ tlsFolder: folder.path });
    const address = engine.tlsAddress;
    await (await openConfiguredEndpoint({ address, tls: tlsFiles() }, callContext()))[Symbol.asyncDispose]();
    await expect(openConfiguredEndpoint({ address, tls: tlsFiles('stranger') }, callContext())).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('refuses our certificate'),
    });
    await expect(openConfiguredEndpoint(address, callContext())).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('expected an engine without TLS'),
    });
  });

  it('tells when it speaks no TLS', async () => {
    await using plain = await proxy(false);
    await expect(
      openConfiguredEndpoint({ address: `tcp://127.0.0.1:${plain.port}`, tls: tlsFiles() }, callContext()),
    ).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('found an engine without it'),
    });
  });

  describe('by ssh', () => {
    let sshd: SshServer;
    const path = process.env['PATH'];

    beforeAll(async () => {
      sshd = await startSshd();
      process.env['PATH'] = `${folder.join('bin')}:${path}`;
    });
    afterAll(async () => {
      process.env['PATH'] = path;
      await sshd[Symbol.asyncDispose]();
    });

    const address = (rest = ''): string => `ssh://root@127.0.0.1:${sshd.port}${rest}`;

    it('is reached by one connection, of which nothing is left', async () => {
      const endpoint = await openConfiguredEndpoint(address(socketPath), callContext());
      expect(endpoint.descriptor).toMatchObject({ publishedHost: '127.0.0.1', socketInTarget: socketPath });
      await Promise.all(Array.from({ length: 10 }, () => endpoint.client.ping()));
      expect(sshProcesses().length).toBeGreaterThan(0);
      await endpoint[Symbol.asyncDispose]();
      await eventually(() => sshProcesses().length === 0, { what: 'ssh to be gone' });
    });

    it('is reached again after the connection broke', async () => {
      const ctx = callContext();
      await using endpoint = await openConfiguredEndpoint(address(socketPath), ctx);
      sshd.cut();
      await expect(endpoint.client.ping()).rejects.toThrow(/socket hang up|ECONN|EPIPE/);
      await eventually(() => endpoint.client.ping(), { what: 'the engine to answer again', timeoutMs: 30_000 });
      expect(ctx.logged.find(({ level }) => level === 'warn')?.message).toContain(
        'the connection by ssh to 127.0.0.1 ended',
      );
    });

    it('that does not answer there is told in the words of ssh', async () => {
      await expect(openConfiguredEndpoint(address('/no/such.sock'), callContext())).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('/no/such.sock of 127.0.0.1 does not answer'),
      });
      await expect(
        openConfiguredEndpoint(`ssh://nobody-such@127.0.0.1:${sshd.port}`, callContext()),
      ).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('Permission denied'),
        details: { hint: expect.stringContaining('try "ssh nobody-such@127.0.0.1"') },
      });
      expect(sshProcesses()).toEqual([]);
    });

    it('is let go when the process that holds it is killed', async () => {
      const script = `
        import { openConfiguredEndpoint } from ${JSON.stringify(new URL('../src/open-endpoint.ts', import.meta.url).href)};
        const nothing = () => {};
        const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
        await openConfiguredEndpoint(${JSON.stringify(address(socketPath))}, { signal: new AbortController().signal, log, progress: nothing, emit: nothing, deadline: 0 });
        console.log('open');
        setInterval(nothing, 1000);`;
      const child = spawn(
        process.execPath,
        ['--conditions=@forgejo-runner/source', '--input-type=module', '-e', script],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      await once(child.stdout, 'data');
      expect(sshProcesses().length).toBeGreaterThan(0);
      child.kill('SIGKILL');
      await eventually(() => sshProcesses().length === 0, { what: 'ssh to end with its process' });
    });
  });
});
