import { setTimeout as wait } from 'node:timers/promises';
import { type FakeForgejo, startFakeForgejo } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { buildRunner } from './built-runner.ts';
import { between, type Calamity, failRequests, nextCalamity, type Random, seededRandom } from './chaos.ts';
import { expectNothingLeft, openHome, type RunnerHome, type StartedRunner } from './daemon-runner.ts';
import { judgeJob, type KnownJob } from './judge-job.ts';

const isNightly = process.env['FORGEJO_RUNNER_NIGHTLY'] === '1';
const rounds = isNightly ? 200 : 20;
const seed = Number(process.env['FORGEJO_RUNNER_SEED'] ?? (isNightly ? Date.now() % 1_000_000 : 20));

function addJob(forgejo: FakeForgejo, random: Random, name: string): KnownJob {
  const count = between(random, 1, 400);
  const isFailing = random() < 0.3;
  const job = forgejo.addJob(`
    runs-on: linux
    outputs: { name: '\${{ steps.print.outputs.name }}' }
    steps:
      - id: print
        run: |
          echo "name=${name}" >> "$GITHUB_OUTPUT"
          for i in $(seq ${count}); do
            echo "${name} line $i"
            [ $((i % ${between(random, 5, 60)})) = 0 ] && sleep 0.02
          done
          exit ${isFailing ? 1 : 0}
      - run: echo "${name} always"
        if: always()
  `);
  const lines = Array.from({ length: count }, (_, index) => `${name} line ${index + 1}`);
  return { job, rows: [...lines, `${name} always`], result: isFailing ? 'failure' : 'success', outputs: { name } };
}

/** What calamities happen to. */
interface World {
  readonly forgejo: FakeForgejo;
  readonly home: RunnerHome;
  readonly runner: StartedRunner;
  readonly random: Random;
}

/** The runner that runs now, and whether the one before was killed. */
interface Happened {
  readonly runner: StartedRunner;
  readonly wasKilled: boolean;
}

/** Lets a calamity happen, and pass. */
async function happen(calamity: Calamity, world: World): Promise<Happened> {
  if (calamity.kind === 'kill' || calamity.kind === 'power') return killRunner(calamity, world);
  await failServer(calamity, world);
  return { runner: world.runner, wasKilled: false };
}

async function failServer(calamity: Calamity, { forgejo, random }: World): Promise<void> {
  if (calamity.kind === 'server') {
    await forgejo.stop();
    await wait(calamity.awayMs);
    await forgejo.start();
  } else if (calamity.kind === 'network') {
    for (let cut = 0; cut < calamity.cuts; cut += 1) {
      forgejo.cutConnections();
      await wait(calamity.pauseMs);
    }
  } else if (calamity.kind === 'faults') {
    failRequests(forgejo, random, calamity.share);
    await wait(calamity.forMs);
    forgejo.scenario.clear();
  }
}

async function killRunner(
  { kind, awayMs }: Calamity & { readonly kind: 'kill' | 'power' },
  { forgejo, home, runner }: Pick<World, 'forgejo' | 'home' | 'runner'>,
): Promise<Happened> {
  if (kind === 'power') await forgejo.stop();
  await runner.kill();
  await wait(awayMs);
  await forgejo.start();
  return { runner: home.start(), wasKilled: true };
}

it(
  `ends every job rightly, with each row once, while server, network and runner fail ${rounds} times (seed ${seed})`,
  async () => {
    const random = seededRandom(seed);
    await using built = await buildRunner();
    await using forgejo = await startFakeForgejo();
    await using home = await openHome({ command: built.command, connections: { main: { forgejo } }, capacity: 3 });
    let runner = home.start();
    for (let round = 0; round < rounds; round += 1) {
      const planned = Array.from({ length: between(random, 1, 4) }, (_, index) =>
        addJob(forgejo, random, `r${round}-${index}`),
      );
      await wait(between(random, 0, 1200));
      const calamity = nextCalamity(random);
      const after = await happen(calamity, { forgejo, home, runner, random });
      runner = after.runner;
      const story = `seed ${seed}, round ${round}: ${JSON.stringify(calamity)}`;
      for (const one of planned) {
        await one.job.ended({ timeoutMs: 120_000 }).catch((error: unknown) => {
          throw new Error(`${story}\n${runner.output().slice(-3000)}`, { cause: error });
        });
        expect({ story, problems: judgeJob(one, after.wasKilled) }).toEqual({ story, problems: [] });
      }
    }
    // One more, so that a runner which was just started is up.
    expect(await forgejo.addJob('{ runs-on: linux, steps: [{ run: echo }] }').ended()).toBe('success');
    runner.signal('SIGTERM');
    expect((await runner.finished).code).toBe(0);
    await expectNothingLeft(home);
  },
  isNightly ? 3_600_000 : 300_000,
);
