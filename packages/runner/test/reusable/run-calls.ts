import { openTempFolder } from '@forgejo-runner/testkit';
import type { WorkflowSources } from '../../src/graph/called-workflow.ts';
import { ownWorkflows } from '../../src/local/own-workflows.ts';
import { type RanYaml, type RunYamlOptions, runYaml } from '../run-yaml.ts';

/** Runs a workflow whose jobs call those of `called`, which lie in a folder by their path. */
export async function runCalls(
  caller: string,
  called: Readonly<Record<string, string>>,
  { openRemote, ...options }: RunYamlOptions & Pick<WorkflowSources, 'openRemote'> = {},
): Promise<RanYaml> {
  await using folder = await openTempFolder();
  await folder.write(called);
  return await runYaml(caller, {
    ...options,
    workflows: {
      own: ownWorkflows({ directory: folder.path, cwd: folder.path }),
      ...(openRemote === undefined ? {} : { openRemote }),
    },
  });
}

/** A workflow to be called, with one job `inner` that runs a script. `head` is the content of `workflow_call`. */
export function callable(script: string, head = ''): string {
  const lines = script.split('\n').map((line) => `          ${line}`);
  return `on:\n  workflow_call:\n${head}\njobs:\n  inner:\n    runs-on: here\n    steps:\n      - run: |\n${lines.join('\n')}\n`;
}

/** Rows of a job's report that say what was wrong. */
export function errorsOf(run: RanYaml, id?: string): readonly string[] {
  return run
    .job(id)
    .section('set-up')
    .map((row) => row.replace('##[error]', ''));
}
