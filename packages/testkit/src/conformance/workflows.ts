import { availableParallelism } from 'node:os';
import { formatLabel } from '@forgejo-runner/core';
import { checkWorkflowRun } from '../check-workflow-run.ts';
import { type CaseRunner, runWorkflowCase } from '../run-workflow-case.ts';
import { loadWorkflowCases, type WorkflowCase } from '../workflow-cases.ts';
import type { Check } from './check.ts';
import { expectThat } from './expectations.ts';
import type { ConformanceRunner } from './options.ts';
import type { Stage } from './stage.ts';

/** The backend as users meet it: in a runner, with workflows. */
export const workflows: readonly Check[] = [
  {
    id: 'C94',
    title: 'a runner that has the backend built in runs the workflows of the testkit as they have to come out',
    limitMs: 1_200_000,
    needs: 'option runner',
    run: async (stage) => {
      const { runner } = stage.options;
      if (runner === undefined) throw stage.skip('needs the option "runner": a runner with this backend built in');
      const cases = await casesFor(stage, runner);
      const problems: string[] = [];
      await runAll(cases, async (one) => {
        const observed = await runWorkflowCase(one, caseRunner(stage, runner));
        const [first] = checkWorkflowRun(one.expect, observed);
        if (first !== undefined) problems.push(`${one.name}: ${first}`);
      });
      stage.measure('workflows', cases.length);
      expectThat(cases.length > 0, 'expected workflows that this backend can run, found none');
      expectThat(problems.length === 0, `${problems.length} of ${cases.length} workflows:\n${problems.join('\n')}`);
    },
  },
];

/** The configuration and label of the suite, as the runner takes them. */
function caseRunner({ options, labelConfiguration }: Stage, { command, env }: ConformanceRunner): CaseRunner {
  const { factory, config } = options;
  return {
    runner: command,
    // The label itself goes by the name that the workflows use.
    backend: formatLabel({ ...labelConfiguration, name: 'test' }).slice('test:'.length),
    path: process.env['PATH'] ?? '',
    ...(env === undefined ? {} : { env }),
    ...(config === undefined ? {} : { config: { backend: { [factory.id]: config } } }),
  };
}

/** Those of the topics that need nothing which the target lacks. */
async function casesFor(stage: Stage, { topics, hasTestImages }: ConformanceRunner): Promise<readonly WorkflowCase[]> {
  const programs = ['bash', 'python', 'node', 'pwsh'];
  const place = await stage.workplace();
  const script = 'for p; do command -v $p > /dev/null || echo $p; done';
  const lacking = new Set((await place.ask(script, { args: programs })).split('\n'));
  if (!lacking.has('bash')) lacking.add('no-bash');
  if (stage.capabilities.containers.via === 'none') lacking.add('containers');
  else lacking.add('no-containers');
  if (hasTestImages !== true) lacking.add('containers');
  const cases = loadWorkflowCases().filter(({ name, needs }) => {
    const isAsked = topics === undefined || topics.some((topic) => name.startsWith(topic));
    return isAsked && !needs.some((need) => lacking.has(need));
  });
  return stage.lane === 'quick' ? sampleOf(cases) : cases;
}

/** The first two cases of each topic. */
function sampleOf(cases: readonly WorkflowCase[]): readonly WorkflowCase[] {
  const topics = Map.groupBy(cases, ({ name }) => name.split('/')[0]);
  return [...topics.values()].flatMap((of) => of.slice(0, 2));
}

async function runAll(cases: readonly WorkflowCase[], run: (one: WorkflowCase) => Promise<void>): Promise<void> {
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await run(one);
  };
  // More at a time than the machine has processors would make the time limits of workflows meaningless.
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));
}
