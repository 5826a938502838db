import { checkReport, eventually, startFakeForgejo } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { objectsOf } from './container-workflows.ts';
import { openHome, type RunnerHome } from './daemon-runner.ts';
import { type Engine, findEngine } from './engines.ts';
import { loadTestImages } from './images/load-images.ts';

const engine = await findEngine('docker');
const opened = new AsyncDisposableStack();
let built: BuiltRunner;

beforeAll(async () => {
  if (engine === undefined) return;
  await loadTestImages(engine.address);
  built = opened.use(await buildRunner(['--with', '@forgejo-runner/backend-docker']));
});

afterAll(() => opened.disposeAsync());

type Forgejo = Awaited<ReturnType<typeof startFakeForgejo>>;

function openRunner(forgejo: Forgejo): Promise<RunnerHome> {
  return openHome({
    command: built.command,
    connections: { main: { forgejo } },
    labels: ['box:docker://forgejo-runner-test/debian:1', 'shell:host'],
    config: {
      container: { docker_host: there().address },
      backend: { host: { docker: there().address } },
      cache: { enabled: true },
    },
  });
}

function there(): Engine {
  if (engine === undefined) throw new Error('expected an engine, found none');
  return engine;
}

/** What the runner has on the engine, by the identity that it has on the instance. */
async function objectsFor(forgejo: Forgejo): Promise<readonly string[]> {
  return objectsOf(forgejo.runners()[0]?.uuid ?? '', there());
}

describe.runIf(engine !== undefined)('a daemon with jobs in containers', () => {
  it.each([
    ['the image of a label', 'runs-on: box'],
    ['an image of the workflow', 'runs-on: box\ncontainer: forgejo-runner-test/debian:1'],
    ['containers beside the machine', 'runs-on: shell\ncontainer: forgejo-runner-test/debian:1'],
  ])('runs and reports a job with a service: %s', async (_, head) => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    const job = forgejo.addJob({
      secrets: { PASSWORD: 'hunter2' },
      workflow: `${head}
services: { web: { image: forgejo-runner-test/late:1, env: { GREETING: welcome } } }
outputs: { page: '\${{ steps.ask.outputs.page }}' }
steps:
  - id: ask
    run: |
      page=$(curl -s http://web:8080/ || wget -qO- http://web:8080/ || node -e 'fetch("http://web:8080/").then((a) => a.text()).then(console.log)')
      echo "said $page hunter2"
      echo "page=$page" >> "$GITHUB_OUTPUT"
  - uses: docker://forgejo-runner-test/small:1
    with: { entrypoint: /bin/sh, args: '-c "echo in $(pwd) > made; echo from an action"' }
  - run: cat made; test -f /.dockerenv && echo contained; test -n "$ACTIONS_CACHE_URL" && echo cached
`,
    });
    await using runner = home.start();
    expect(await job.ended({ timeoutMs: 120_000 })).toBe('success');
    expect(job.stepTexts(0)).toContain('said welcome ***');
    expect(job.stepTexts(1)).toContain('from an action');
    expect(job.stepTexts(2)).toEqual(expect.arrayContaining(['contained', 'cached']));
    expect(job.outputs()).toEqual({ page: 'welcome' });
    expect(checkReport(job)).toEqual([]);
    await eventually(async () => (await objectsFor(forgejo)).length === 0, { timeoutMs: 60_000 });
    runner.signal('SIGTERM');
    expect((await runner.finished).code).toBe(0);
  });

  it('removes the containers of a job that was cancelled on the instance, after what always runs', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    const job = forgejo.addJob(`
      runs-on: box
      services: { web: { image: forgejo-runner-test/late:1 } }
      steps:
        - run: trap '' INT TERM; echo waiting; sleep 1000
        - run: echo cleaned
          if: always()
    `);
    await using _runner = home.start();
    await eventually(() => job.texts().includes('waiting'), { timeoutMs: 120_000 });
    expect(await objectsFor(forgejo)).not.toEqual([]);
    job.cancel();
    await eventually(() => job.texts().includes('cleaned'), { timeoutMs: 60_000 });
    await eventually(async () => (await objectsFor(forgejo)).length === 0, { timeoutMs: 60_000 });
    expect(job.status()).toBe('cancelled');
  });

  it('removes what a killed daemon left, and reports its job with every row', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    const job = forgejo.addJob(`
      runs-on: box
      services: { web: { image: forgejo-runner-test/late:1 } }
      steps: [{ run: 'seq 100; echo waiting; sleep 1000' }]
    `);
    const runner = home.start();
    await eventually(() => job.texts().includes('waiting'), { timeoutMs: 120_000 });
    await runner.kill();
    expect(await objectsFor(forgejo)).not.toEqual([]);
    await using _next = home.start();
    expect(await job.ended({ timeoutMs: 120_000 })).toBe('failure');
    expect(job.stepTexts(0).filter((text) => /^\d+$/.test(text))).toHaveLength(100);
    await eventually(async () => (await objectsFor(forgejo)).length === 0, { timeoutMs: 60_000 });
  });
});
