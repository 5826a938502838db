import { chmod } from 'node:fs/promises';
import type { ObservedRun } from './check-workflow-run.ts';
import { observeJson } from './observe-json.ts';
import { runProgram } from './run-program.ts';
import { openTempFolder } from './temp-folder.ts';
import type { WorkflowCase } from './workflow-cases.ts';

/** Where and with what cases are run. */
export interface CaseRunner {
  /** Command line of a built runner. */
  readonly runner: readonly [string, ...string[]];
  /** Backend and argument for the label `test`, such as `host`. */
  readonly backend: string;
  readonly path: string;
  /** Variables of the runner's own environment beside the usual, such as DOCKER_HOST. */
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration of the runner. Default: none. */
  readonly config?: object;
}

/** Runs a workflow case by `exec` of a built runner, in a repository of its own. Needs git. */
export async function runWorkflowCase(
  one: WorkflowCase,
  { runner, backend, path, env: more, config }: CaseRunner,
): Promise<ObservedRun> {
  await using folder = await openTempFolder('forgejo-runner-case-');
  // A backend may run jobs as another user, who needs a way to the temporary folder.
  await chmod(folder.path, 0o711);
  const repository = folder.join('repository');
  await folder.write(prefixed('repository', one.files));
  await folder.write({ 'home/.keep': '' });
  const env = { PATH: path, HOME: folder.join('home'), TMPDIR: folder.path, LANG: 'C.UTF-8', NO_COLOR: '1', ...more };
  await commitAll(repository, env);
  const options = ['--json', '-W', one.workflow, '-E', one.event, '-P', `test=${backend}`];
  for (const [name, value] of Object.entries(one.secrets)) options.push('--secret', `${name}=${value}`);
  for (const [name, value] of Object.entries(one.vars)) options.push('--var', `${name}=${value}`);
  const payload = eventPayload(one);
  if (payload !== undefined) {
    await folder.write({ 'event.json': JSON.stringify(payload) });
    options.push('--eventpath', folder.join('event.json'));
  }
  const global: string[] = [];
  if (config !== undefined) {
    // JSON is YAML.
    await folder.write({ 'config.yml': JSON.stringify(config) });
    global.push('-c', folder.join('config.yml'));
  }
  return observeJson(await runProgram([...runner, ...global, 'exec', ...options], { cwd: repository, env }));
}

function prefixed(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
}

function eventPayload({ payload, inputs }: WorkflowCase): unknown {
  if (Object.keys(inputs).length === 0) return payload;
  return { ...(typeof payload === 'object' ? payload : {}), inputs };
}

async function commitAll(cwd: string, env: Readonly<Record<string, string>>): Promise<void> {
  const who = ['-c', 'user.name=Case', '-c', 'user.email=case@localhost'];
  for (const args of [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    [...who, 'commit', '-q', '-m', 'case'],
  ]) {
    const { code, stderr } = await runProgram(['git', ...args], { cwd, env });
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  }
}
