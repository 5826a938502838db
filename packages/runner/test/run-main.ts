import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import type { FactoryRegistry } from '@forgejo-runner/core';
import { openTempFolder, type ReferenceBackend, referenceBackend, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, vi } from 'vitest';
import { main } from '../src/main.ts';
import { type FakeIo, fakeIo } from './fake-io.ts';
import { jobOf } from './run-yaml.ts';

/** A local run that goes on. */
export interface StartedExec extends FakeIo {
  readonly code: Promise<number>;
  readonly backend: ReferenceBackend;
}

/** `exec` in a folder of each test's own, on a reference backend that serves the label `here`. */
export interface ExecFolder {
  readonly repository: () => TempFolder;
  readonly start: (args?: readonly string[]) => StartedExec;
  readonly exec: (
    ...args: readonly string[]
  ) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** Writes the only workflow, of one job. */
  readonly workflow: (steps: string, head?: string) => Promise<void>;
  readonly git: (...args: readonly string[]) => void;
}

/** Gives every test of a file a folder, and fails it when the run left something in the folder for temporary files. */
export function execInFolder(): ExecFolder {
  let repository: TempFolder;
  let temp: TempFolder;
  beforeEach(async () => {
    repository = await openTempFolder();
    temp = await openTempFolder();
    vi.stubEnv('TMPDIR', temp.path);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    const left = (await readdir(temp.path)).filter((name) => name !== 'state');
    await repository[Symbol.asyncDispose]();
    await temp[Symbol.asyncDispose]();
    if (left.length > 0) throw new Error(`expected nothing to be left behind, found ${left.join(', ')}`);
  });
  const start: ExecFolder['start'] = (args = []) => {
    const backend = referenceBackend();
    const env = {
      HOME: temp.path,
      XDG_STATE_HOME: temp.join('state'),
      XDG_CACHE_HOME: temp.join('state', 'cache'),
      NO_COLOR: '1',
    };
    const fake = fakeIo({ cwd: repository.path, env });
    const code = main(['exec', '-P', 'here=reference', ...args], fake.io, { factories: registryOf(backend) });
    return { ...fake, code, backend };
  };
  return {
    repository: () => repository,
    start,
    exec: async (...args) => {
      const started = start(args);
      return { code: await started.code, stdout: started.stdout(), stderr: started.stderr() };
    },
    workflow: (steps, head = '') => repository.write({ '.forgejo/workflows/w.yml': jobOf(steps, head) }),
    git: (...args) => gitIn(repository.path, args),
  };
}

/** Runs git in a folder, as somebody who may commit. */
export function gitIn(cwd: string, args: readonly string[]): void {
  const someone = ['-c', 'user.name=me', '-c', 'user.email=me@example.org', '-c', 'protocol.file.allow=always'];
  execFileSync('git', [...someone, ...args], { cwd, stdio: 'pipe' });
}

function registryOf({ factory }: ReferenceBackend): FactoryRegistry {
  return {
    register: () => {},
    get: (id) => (id === factory.id ? { factory } : undefined),
    list: () => [{ factory }],
  };
}
