import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { checkWorkflowRun, loadWorkflowCases, openTempFolder, type WorkflowCase } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import type { Engine } from './engines.ts';
import { askEngine } from './images/engine-api.ts';
import { loadTestImages } from './images/load-images.ts';
import { runCase } from './run-exec.ts';
import { turnstile } from './turnstile.ts';

/** Why a case is not for containers of the images of `e2e/images`, by what it needs. */
const unfit: ReadonlyMap<string, string> = new Map([
  ['no-containers', 'expects a backend without containers'],
  ['pwsh', 'Debian has no package of PowerShell, and no registry is asked'],
]);

/** The workflow cases for a backend with containers: all but those that need what none of these images has. */
function containerCases(): readonly WorkflowCase[] {
  return loadWorkflowCases().filter(({ needs }) => !needs.some((need) => unfit.has(need)));
}

function isAboutContainers({ needs }: WorkflowCase): boolean {
  return needs.includes('containers');
}

/** Engines take their time with each container: all cases run at night, else a sample of them. */
export function chosenCases(): readonly WorkflowCase[] {
  return process.env['FORGEJO_RUNNER_NIGHTLY'] === undefined ? sampleOfCases() : containerCases();
}

/** The cases about containers, and one of each other topic. */
export function sampleOfCases(): readonly WorkflowCase[] {
  const cases = containerCases();
  const topics = new Map(cases.toReversed().map((one) => [one.name.split('/')[0], one]));
  return cases.filter((one) => isAboutContainers(one) || [...topics.values()].includes(one));
}

/** Tests that a built runner does what cases expect in containers of an engine, and leaves nothing there. */
export function testOnEngine(
  name: string,
  engine: Engine | undefined,
  cases: readonly WorkflowCase[],
  /** What the engine itself does otherwise, by the name of the case. */
  unlike: Readonly<Record<string, string>> = {},
): void {
  // Jobs in containers wait for the engine more than they work.
  const pass = turnstile(availableParallelism() + 1);
  const opened = new AsyncDisposableStack();
  let runner: BuiltRunner;
  let state: string;

  describe.concurrent(`a built runner, in containers of ${name}`, () => {
    beforeAll(async () => {
      if (engine === undefined) return;
      await loadTestImages(engine.address);
      runner = opened.use(await buildRunner(['--with', '@forgejo-runner/backend-docker']));
      // One identity for all runs: by it is found what they leave behind.
      state = opened.use(await openTempFolder('forgejo-runner-state-')).path;
    });

    afterAll(async () => {
      const left = engine === undefined ? [] : await objectsOf(await identityIn(state), engine);
      await opened.disposeAsync();
      expect(left).toEqual([]);
    });

    it.for(cases)('$name: $title', async (one, { skip }) => {
      const there = engine ?? skip(`${name} does not answer, or waits for the nightly run`);
      const why = unlike[one.name];
      if (why !== undefined) skip(why);
      expect(await pass(() => runOnEngine(one, there, { runner, state }))).toEqual([]);
    });
  });
}

/** Runs a case, each job in a container of the image that it needs. Gives what differs from what was expected. */
async function runOnEngine(
  one: WorkflowCase,
  engine: Engine,
  { runner, state }: { readonly runner: BuiltRunner; readonly state: string },
): Promise<readonly string[]> {
  const image = one.needs.includes('no-bash') ? 'small' : 'debian';
  const observed = await runCase(one, {
    runner: runner.command,
    backend: `docker://forgejo-runner-test/${image}:1`,
    path: process.env['PATH'] ?? '',
    env: { DOCKER_HOST: engine.address, XDG_STATE_HOME: state },
  });
  return checkWorkflowRun(one.expect, observed);
}

/** The name that a runner with this `XDG_STATE_HOME` writes on what it makes. */
export async function identityIn(state: string): Promise<string> {
  return (await readFile(join(state, 'forgejo-runner', 'exec', 'runner-id'), 'utf8')).trim();
}

/** Containers, networks and volumes of a runner, as the engine itself lists them. */
export async function objectsOf(runner: string, engine: Engine): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`org.forgejo.runner.runner=${runner}`] }));
  const lists = ['/containers/json?all=1&', '/networks?', '/volumes?'].map(async (path) => {
    const { status, text } = await askEngine(engine.address, { path: `${path}filters=${filters}` });
    if (status !== 200) throw new Error(`expected the engine to answer ${path}, found ${status}: ${text}`);
    // Volumes come as `{ Volumes }` or null, the others as a list; each has one of these names.
    const answer = JSON.parse(text) as Named[] | { readonly Volumes: Named[] | null };
    return (Array.isArray(answer) ? answer : (answer.Volumes ?? [])).map((one) => one.Name ?? one.Names?.[0] ?? text);
  });
  return (await Promise.all(lists)).flat();
}

interface Named {
  readonly Name?: string;
  readonly Names?: readonly string[];
}
