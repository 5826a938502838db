import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { runChild } from '../run-child.ts';
import { shown, UserError } from '../user-error.ts';
import type { BaseBinary } from './base-binary.ts';

/**
 * Makes one executable of a bundle and a Node binary, in the work folder.
 *
 * @throws UserError `FRB603`
 */
export async function makeExecutable(
  bundle: Bundle,
  base: BaseBinary,
  workDir: string,
  signal: AbortSignal,
): Promise<string> {
  const main = bundle.format === 'cjs' ? 'runner.cjs' : 'runner.mjs';
  const output = process.platform === 'win32' ? 'runner.exe' : 'runner';
  await writeFile(path.join(workDir, main), bundle.code);
  const config = {
    // Relative: an absolute path would end up in the executable.
    main,
    mainFormat: bundle.format === 'cjs' ? 'commonjs' : 'module',
    executable: base.file,
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: true,
    // NODE_OPTIONS of whoever starts the runner must not reach into it.
    execArgvExtension: 'none',
  };
  await writeFile(path.join(workDir, 'sea-config.json'), JSON.stringify(config));
  // The seed makes the code cache, and with it the whole file, the same in every build.
  const args = ['--random-seed=1', '--build-sea', 'sea-config.json'];
  const result = await runChild(process.execPath, args, { cwd: workDir, env: {} }, signal);
  if (result.code !== 0) {
    const said = shown(result.stderr || result.stdout, 300);
    throw new UserError(
      'FRB603',
      `node --build-sea ended with ${result.code ?? result.killedBy}; it printed: ${said}`,
      {
        details: shown(result.stderr, 8000),
      },
    );
  }
  return path.join(workDir, output);
}
