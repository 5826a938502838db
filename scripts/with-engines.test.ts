import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('with-engines.sh', import.meta.url));
const tools = ['bash', 'sh', 'mktemp', 'chmod', 'rm', 'id', 'setsid', 'sleep', 'tail', 'touch', 'cat', 'true', 'false'];
const isFit = process.platform === 'linux' && process.getuid?.() === 0;
let folder: string;
let bin: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgejo-runner-engines-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const tool of tools) {
    const found = ['/usr/bin', '/bin'].map((dir) => join(dir, tool)).find((file) => existsSync(file));
    if (found !== undefined) symlinkSync(found, join(bin, tool));
  }
  program('docker', `test -e ${folder}/answers`);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(isFit)('with-engines.sh, as root on Linux', () => {
  it('starts an engine that does not answer, and ends it after the command', () => {
    program(
      'dockerd',
      `echo $$ >${folder}/pid; echo "$@" >${folder}/arguments; touch ${folder}/answers; exec sleep 600`,
    );
    const { status, stderr } = withEngines('sh', '-c', `kill -0 $(cat ${folder}/pid) && exit 7`);
    expect(stderr).toContain('engines: docker at');
    expect(status).toBe(7);
    expect(readFileSync(join(folder, 'arguments'), 'utf8')).toBe(`-H unix://${folder}/docker.sock\n`);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    // Where nobody reaps, what was ended stays as a zombie, which signal 0 still reaches.
    expect(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : 'gone').toMatch(/gone|\) Z /);
  });

  it('leaves an engine alone that answers already', () => {
    writeFileSync(join(folder, 'answers'), '');
    program('dockerd', `touch ${folder}/started`);
    expect(withEngines('true').status).toBe(0);
    expect(existsSync(join(folder, 'started'))).toBe(false);
  });

  it('gives the last words of an engine that does not start, and does not run the command', () => {
    program('dockerd', 'echo "no space left"; exit 1');
    const { status, stderr } = withEngines('touch', join(folder, 'ran'));
    expect(stderr).toContain('docker did not start; its last words:\nno space left');
    expect(status).toBe(1);
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });

  it('says which engine is not installed', () => {
    rmSync(join(bin, 'docker'));
    const { status, stderr } = withEngines('false');
    expect(stderr).toContain('docker is not installed');
    expect(stderr).toContain('podman is not installed');
    expect(status).toBe(1);
  });
});

it.runIf(process.platform === 'linux')('wants a command', () => {
  const { status, stderr } = withEngines();
  expect(status).toBe(2);
  expect(stderr).toContain('expected a command');
});

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

function withEngines(...command: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const env = { PATH: bin, TMPDIR: folder, DOCKER_HOST: `unix://${folder}/docker.sock` };
  const { status, stderr } = spawnSync(join(bin, 'bash'), [script, ...command], { env, encoding: 'utf8' });
  return { status, stderr };
}
