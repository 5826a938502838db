import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { UserError } from '../user-error.ts';
import { type BaseSource, findGenerator, readBase } from './base-binary.ts';
import { injectElf } from './elf.ts';
import { injectMachO } from './mach-o.ts';
import { injectPe } from './pe.ts';
import { makeBlob } from './sea-blob.ts';
import { hostTarget, type Target } from './target.ts';

/** A single executable in the work folder. */
export interface Executable {
  readonly target: Target;
  readonly file: string;
  readonly sizeBytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

const blobName = 'NODE_SEA_BLOB';

/**
 * Makes one executable for each target of a bundle and the Node binaries, in the work folder.
 *
 * @throws UserError `FRB305`, `FRB313`, `FRB504`, `FRB601`, `FRB603`
 */
export async function makeExecutables(
  bundle: Bundle,
  targets: readonly Target[],
  { workDir, ...source }: BaseSource & { readonly workDir: string },
  signal: AbortSignal,
): Promise<readonly Executable[]> {
  const foreign = targets.filter((target) => target !== hostTarget());
  const [embedded] = bundle.embedded;
  if (embedded !== undefined && foreign[0] !== undefined) {
    throw new UserError(
      'FRB504',
      `the native addon of ${embedded} was compiled for this machine, not for ${foreign[0]}`,
      {
        next: `leave it out: --native ${embedded}=stub; or build on each platform for itself`,
      },
    );
  }
  const { file: node, isBase } = await findGenerator(source, signal);
  const blob = async (isCompiled: boolean): Promise<Buffer> => makeBlob(bundle, { node, isCompiled, workDir }, signal);
  const plain = foreign.length === 0 && isBase ? undefined : await blob(false);
  const made: Executable[] = [];
  for (const target of targets) {
    const isCompiled = isBase && target === hostTarget();
    const content = isCompiled ? await blob(true) : (plain ?? (await blob(false)));
    const file = path.join(workDir, `runner-${target}${target.startsWith('win-') ? '.exe' : ''}`);
    const parts = inject(target, await readBase(target, source, signal), content);
    made.push({ target, file, ...(await writeParts(file, parts)) });
    signal.throwIfAborted();
  }
  return made;
}

function inject(target: Target, base: Buffer, blob: Buffer): readonly Buffer[] {
  if (target.startsWith('linux-')) return injectElf(base, blobName, blob);
  if (target.startsWith('win-')) return injectPe(base, blobName, blob);
  const section = { segment: 'NODE_SEA', section: `__${blobName}`, identifier: 'forgejo-runner' };
  return injectMachO(base, section, blob);
}

async function writeParts(file: string, parts: readonly Buffer[]): Promise<Pick<Executable, 'sizeBytes' | 'sha256'>> {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  await using handle = await open(file, 'w', 0o755);
  await handle.writev([...parts]);
  // The mode of `open` went through the umask.
  await handle.chmod(0o755);
  return { sizeBytes: parts.reduce((sum, part) => sum + part.length, 0), sha256: hash.digest('hex') };
}
