import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTempFolder } from '@forgejo-runner/testkit';
import { type Finished, runProgram } from './run-program.ts';

const builder = fileURLToPath(new URL('../packages/builder/bin/forgejo-runner-build.mjs', import.meta.url));

/** A runner that the builder made in an empty folder. */
export interface BuiltRunner extends AsyncDisposable {
  /** Command line that starts it. */
  readonly command: readonly [string, ...string[]];
  /** What the builder printed. */
  readonly built: Finished;
}

/**
 * Builds a runner as a user does, with these flags more, in an empty folder that may have an `.npmrc`.
 *
 * @throws Error with what the builder said.
 */
export async function buildRunner(flags: readonly string[] = [], npmrc?: string): Promise<BuiltRunner> {
  const folder = await openTempFolder('forgejo-runner-built-');
  await folder.write({
    'home/.keep': '',
    ...(npmrc === undefined ? { 'project/.keep': '' } : { 'project/.npmrc': npmrc }),
  });
  const output = folder.join('project', 'runner.mjs');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder.join('home'),
    FORGEJO_RUNNER_BUILD_CACHE: folder.join('cache'),
  };
  const command = [process.execPath, '--conditions=@forgejo-runner/source', builder, '--output', output] as const;
  const built = await runProgram([...command, ...flags], { cwd: join(folder.path, 'project'), env });
  if (built.code !== 0) {
    await folder[Symbol.asyncDispose]();
    throw new Error(`expected a runner, found exit code ${built.code}:\n${built.stderr}${built.stdout}`);
  }
  return { command: [process.execPath, output], built, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}
