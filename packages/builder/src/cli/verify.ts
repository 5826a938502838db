import path from 'node:path';
import { UserError } from '../user-error.ts';
import { verify } from '../verify.ts';
import type { VerifyFlags } from './define-verify.ts';
import { exitCodes } from './exit-codes.ts';
import { cacheOption } from './open-command-project.ts';
import { openProgress } from './print-progress.ts';

/** The command `verify`. Resolves to its exit code. @throws UserError `FRB701` when it is not reproduced. */
export async function verifyCommand(artefact: string, flags: VerifyFlags, signal: AbortSignal): Promise<number> {
  const cwd = process.cwd();
  const file = path.resolve(cwd, artefact);
  const report = await (async () => {
    await using progress = await openProgress(flags.logFormat, [
      'resolve',
      'check',
      'entry',
      'bundle',
      'package',
      'smoke',
      'write',
    ]);
    return verify({
      artefact: file,
      cwd,
      signal,
      onEvent: progress.onEvent,
      ...(flags.offline === true ? { isOffline: true } : {}),
      flags: { with: flags.with, replace: flags.replace },
      ...cacheOption(flags, cwd),
    });
  })();
  if (flags.logFormat === 'json')
    process.stdout.write(`${JSON.stringify({ event: 'verified', artefact: file, ...report })}\n`);
  if (!report.isSame) {
    const [first = 'something', ...others] = report.differences;
    throw new UserError(
      'FRB701',
      `${artefact} is not what its lock and request make here; first difference: ${first}`,
      {
        details: others.join('\n'),
      },
    );
  }
  if (flags.logFormat !== 'json')
    process.stdout.write(`${artefact} is what its lock and request make: sha256 ${report.sha256}\n`);
  return exitCodes.done;
}
