import { chmod, readdir, stat, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { openTempFolder, type ObservedRun, type TempFolder, type WorkflowCase } from '@forgejo-runner/testkit';
import { observeJson } from './observe-json.ts';
import { runProgram } from './run-program.ts';

/** Where and with what cases are run. */
export interface CaseRunner {
  /** Command line of a built runner. */
  readonly runner: readonly [string, ...string[]];
  /** Backend and argument for the label `test`, such as `host`. */
  readonly backend: string;
  readonly path: string;
}

/** Runs a workflow case by `exec` in a repository of its own. */
export async function runCase(one: WorkflowCase, { runner, backend, path }: CaseRunner): Promise<ObservedRun> {
  await using folder = await openTempFolder('forgejo-runner-case-');
  // A backend may run jobs as another user, who needs a way to the temporary folder.
  await chmod(folder.path, 0o711);
  const repository = folder.join('repository');
  await folder.write(prefixed('repository', one.files));
  await folder.write({ 'home/.keep': '' });
  const env = { PATH: path, HOME: folder.join('home'), TMPDIR: folder.path, LANG: 'C.UTF-8', NO_COLOR: '1' };
  await commitAll(repository, env);
  const options = ['--json', '-W', one.workflow, '-E', one.event, '-P', `test=${backend}`];
  for (const [name, value] of Object.entries(one.secrets)) options.push('--secret', `${name}=${value}`);
  for (const [name, value] of Object.entries(one.vars)) options.push('--var', `${name}=${value}`);
  const payload = eventPayload(one);
  if (payload !== undefined) {
    await folder.write({ 'event.json': JSON.stringify(payload) });
    options.push('--eventpath', folder.join('event.json'));
  }
  return observeJson(await runProgram([...runner, 'exec', ...options], { cwd: repository, env }));
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

/** Is there a program of this name on a search path? */
export async function isOnPath(name: string, path: string): Promise<boolean> {
  for (const folder of path.split(delimiter)) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile() === true) return true;
  }
  return false;
}

/** A folder to stand for a search path: it has every program of the given one but those. */
export async function pathWithout(names: readonly string[], path: string): Promise<TempFolder> {
  const folder = await openTempFolder('forgejo-runner-path-');
  for (const from of path.split(delimiter)) {
    for (const name of await readdir(from).catch(() => [])) {
      // The first of a name is the one that is found.
      if (!names.includes(name)) await symlink(join(from, name), folder.join(name)).catch(() => {});
    }
  }
  return folder;
}
