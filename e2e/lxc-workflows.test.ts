import { chmod } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import {
  checkWorkflowRun,
  loadWorkflowCases,
  openTempFolder,
  type TempFolder,
  type WorkflowCase,
} from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLxc } from '../packages/backend-lxc/test/lxc-fixture.ts';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { debianSystem } from './images/layers.ts';
import { runCase } from './run-exec.ts';
import { turnstile } from './turnstile.ts';

// The template has bash, and no PowerShell; labels without "docker" have no containers.
const unfit = ['containers', 'no-bash', 'pwsh'];
const all = loadWorkflowCases().filter(({ needs }) => !needs.some((need) => unfit.includes(need)));
const isNightly = process.env['FORGEJO_RUNNER_NIGHTLY'] !== undefined;
const cases = isNightly ? all : sampleOf(all);
const pass = turnstile(availableParallelism());
const opened = new AsyncDisposableStack();
let runner: BuiltRunner;
let storage: TempFolder;
let config: object;

describe.concurrent(`a built runner, in LXC containers${whyNoLxc === undefined ? '' : `: ${whyNoLxc}`}`, () => {
  beforeAll(async () => {
    if (whyNoLxc !== undefined) return;
    runner = opened.use(await buildRunner(['--with', '@forgejo-runner/backend-lxc']));
    storage = opened.use(await openTempFolder('forgejo-runner-lxc-'));
    await chmod(storage.path, 0o711);
    const lxc = { storage: storage.join('lxc'), templates: { test: { rootfs: (await debianSystem()).file } } };
    config = { backend: { lxc } };
  });

  afterAll(() => opened.disposeAsync());

  it.for(cases)('$name: $title', async (one, { skip }) => {
    skip(whyNoLxc !== undefined, whyNoLxc);
    const observed = await pass(() =>
      runCase(one, {
        runner: runner.command,
        backend: 'lxc://test',
        path: process.env['PATH'] ?? '',
        config,
      }),
    );
    expect(checkWorkflowRun(one.expect, observed)).toEqual([]);
  });
});

/** The first two cases of each topic. */
function sampleOf(given: readonly WorkflowCase[]): readonly WorkflowCase[] {
  const topics = Map.groupBy(given, ({ name }) => name.split('/')[0] ?? '');
  return [...topics.values()].flatMap((of) => of.slice(0, 2));
}
