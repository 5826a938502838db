import { eventually, openTempFolder, startGitServer, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { identityIn, objectsOf } from './container-workflows.ts';
import { type Engine, findEngine } from './engines.ts';
import { loadTestImages } from './images/load-images.ts';
import { type Running, startProgram } from './run-program.ts';

const engine = await findEngine('docker');
const opened = new AsyncDisposableStack();
let runner: BuiltRunner;

beforeAll(async () => {
  if (engine === undefined) return;
  await loadTestImages(engine.address);
  runner = opened.use(await buildRunner(['--with', '@forgejo-runner/backend-docker']));
});

afterAll(() => opened.disposeAsync());

describe.runIf(engine !== undefined)('a built runner on docker', () => {
  it('builds and runs an action with a Dockerfile of another repository', async () => {
    await using server = await startGitServer();
    await server.commit(
      'acme/scan',
      {
        'action.yml': 'name: scan\nruns: { using: docker, image: Dockerfile }\n',
        Dockerfile: 'FROM forgejo-runner-test/small:1\nCOPY scan /scan\nENTRYPOINT ["/bin/sh", "/scan"]\n',
        scan: 'echo "scanned $GITHUB_ACTION_REF in $(basename "$PWD")"\n',
      },
      { refs: ['refs/tags/v1'] },
    );
    await using place = await openPlace('steps: [{ run: "true" }, { uses: acme/scan@v1 }]');
    const { code, stdout, stderr } = await place.exec('--default-actions-url', server.url).finished;
    expect(stdout + stderr).toMatch(/scanned v1 in \S+/);
    expect(code).toBe(0);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'removes everything after %s, and still runs what always runs',
    async (signal) => {
      await using place = await openPlace(
        `services: { web: { image: forgejo-runner-test/late:1 } }
    steps:
      - run: |
          trap '' INT TERM
          echo started
          while :; do sleep 1; done
      - if: always()
        run: echo "cleaned $((40 + 2))"`,
      );
      const running = place.exec();
      await until(running, 'started');
      process.kill(running.pid, signal);
      const { code, stdout } = await running.finished;
      expect(stdout).toContain('cleaned 42');
      expect(code).not.toBe(0);
      expect(await place.objects()).toEqual([]);
    },
  );
});

const podman = await findEngine('podman');

describe.runIf(engine !== undefined && podman !== undefined)('a built runner on several engines', () => {
  it('has a backend for each of them, and a job in the one that its label names', async () => {
    if (podman === undefined) throw new Error('expected podman, found none');
    await loadTestImages(podman.address, (name) => name.endsWith('/small:1'));
    const image = 'docker://forgejo-runner-test/small:1';
    await using folder = await openTempFolder('forgejo-runner-engines-');
    // Podman names itself in the variables of each process.
    const step = 'steps: [{ run: "echo engine=${container:-docker}" }]';
    await folder.write({
      'work/.forgejo/workflows/case.yml': `on: push\njobs:\n  one: { runs-on: one, ${step} }\n  two: { runs-on: two, ${step} }\n  three: { runs-on: three, ${step} }\n`,
      'config.yml': JSON.stringify({
        runner: {
          labels: [
            `one:${image}`,
            `two:${image.replace('docker', 'docker-two')}`,
            `three:${image.replace('docker', 'podman')}`,
          ],
        },
        backend: {
          docker: {},
          'docker-two': { factory: 'docker', endpoint: there().address },
          podman: { factory: 'docker', endpoint: podman.address },
        },
      }),
      'home/.keep': '',
      'state/.keep': '',
    });
    const { code, stdout, stderr } = await startIn(folder, ['-c', folder.join('config.yml')]).finished;
    const found = [...(stdout + stderr).matchAll(/(one|two|three)\b[^\n]*engine=(\w+)/g)].map(
      ([, job, name]) => `${job} ${name}`,
    );
    expect(found.toSorted()).toEqual(['one docker', 'three podman', 'two docker']);
    expect(code).toBe(0);
    const runner = await identityIn(folder.join('state'));
    expect([await objectsOf(runner, there()), await objectsOf(runner, podman)]).toEqual([[], []]);
  });
});

interface Place extends AsyncDisposable {
  readonly exec: (...flags: readonly string[]) => Running;
  /** What the runner has on the engine. */
  readonly objects: () => Promise<readonly string[]>;
}

/** A folder with a workflow of one job, which has these keys beside `runs-on`. */
async function openPlace(job: string): Promise<Place> {
  const folder = await openTempFolder('forgejo-runner-docker-');
  const workflow = `on: push\njobs:\n  test:\n    runs-on: test\n    ${job}\n`;
  await folder.write({ 'work/.forgejo/workflows/case.yml': workflow, 'home/.keep': '', 'state/.keep': '' });
  return {
    exec: (...flags) => start(folder, flags),
    objects: async () => objectsOf(await identityIn(folder.join('state')), there()),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

function start(folder: TempFolder, flags: readonly string[]): Running {
  return startIn(folder, ['-P', 'test=docker://forgejo-runner-test/debian:1', ...flags]);
}

function startIn(folder: TempFolder, flags: readonly string[]): Running {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder.join('home'),
    TMPDIR: folder.path,
    XDG_STATE_HOME: folder.join('state'),
    DOCKER_HOST: there().address,
    NO_COLOR: '1',
  };
  return startProgram([...runner.command, 'exec', ...flags], { cwd: folder.join('work'), env });
}

function there(): Engine {
  if (engine === undefined) throw new Error('expected an engine, found none');
  return engine;
}

async function until(running: Running, word: string): Promise<void> {
  await eventually(() => running.stdout().includes(word), { timeoutMs: 60_000, what: word });
}
