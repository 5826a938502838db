import { BackendError, type ExecIo } from '@forgejo-runner/core';
import type { EngineFacts } from './engine-facts.ts';
import { type ImagePlatform, platformName, runsNatively } from './platform.ts';

interface NamedImage {
  readonly name: string;
  readonly config: ImagePlatform;
}

/** The runtime's line about it stands alone: nothing of such an image can have written more. */
const keptLength = 1000;

/** Whether that is how kernels, runtimes and shells say that a program is for another processor. */
export function isAboutForeignProgram(text: string): boolean {
  return /exec format error/i.test(text);
}

/** Why a program of an image did not start; undefined where the image is for the processor of the engine. */
export function emulationError(
  { name, config }: NamedImage,
  facts: Pick<EngineFacts, 'os' | 'arch'>,
  cause?: unknown,
): BackendError | undefined {
  if (runsNatively(config, facts)) return undefined;
  const [made, engine] = [platformName(config), `${facts.os}/${facts.arch}`];
  return new BackendError('image', `expected an image that runs on ${engine}, found "${name}", which is for ${made}`, {
    resource: name,
    hint: `choose an image for ${engine}, or have emulation of ${made} installed on the machine of the engine`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Passes the output of a program on, and keeps its first words. */
export function keepFirstWords({
  stdout,
  stderr,
}: Pick<ExecIo, 'stdout' | 'stderr'>): Pick<ExecIo, 'stdout' | 'stderr'> & { readonly words: () => string } {
  let words = '';
  const keep =
    (sink: ExecIo['stdout']): ExecIo['stdout'] =>
    (chunk) => {
      if (words.length < keptLength) words += Buffer.from(chunk).toString('latin1').slice(0, keptLength);
      return sink(chunk);
    };
  return { stdout: keep(stdout), stderr: keep(stderr), words: () => words };
}
