import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { runChild } from '../run-child.ts';
import { shown, UserError } from '../user-error.ts';

/**
 * A bundle as Node looks for it in an executable. Compiled code comes along where the Node that will run it is that of this
 * machine; another would refuse it, with a warning at each start.
 *
 * @throws UserError `FRB603`
 */
export async function makeBlob(
  bundle: Pick<Bundle, 'code' | 'format'>,
  options: { readonly node: string; readonly isCompiled: boolean; readonly workDir: string },
  signal: AbortSignal,
): Promise<Buffer> {
  const { node, isCompiled, workDir } = options;
  // Relative: an absolute path would end up in the executable.
  const main = bundle.format === 'cjs' ? 'runner.cjs' : 'runner.mjs';
  await writeFile(path.join(workDir, main), bundle.code);
  const output = isCompiled ? 'compiled.blob' : 'plain.blob';
  const config = {
    main,
    mainFormat: bundle.format === 'cjs' ? 'commonjs' : 'module',
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: isCompiled,
    // NODE_OPTIONS of whoever starts the runner must not reach into it.
    execArgvExtension: 'none',
  };
  await writeFile(path.join(workDir, 'sea-config.json'), JSON.stringify(config));
  // The seed makes the compiled code the same in every build.
  const args = ['--random-seed=1', '--experimental-sea-config', 'sea-config.json'];
  const result = await runChild(node, args, { cwd: workDir, env: {} }, signal);
  if (result.code === 0) return readFile(path.join(workDir, output));
  const said = shown(result.stderr || result.stdout, 300);
  throw new UserError(
    'FRB603',
    `preparing the application ended with ${result.code ?? result.killedBy}; it printed: ${said}`,
    {
      details: shown(result.stderr, 8000),
    },
  );
}
