import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Target } from '../package/target.ts';
import { hostTarget } from '../package/target.ts';

/** Whether a result was started after it was built: the one honest word on it. */
export type Execution =
  | { readonly kind: 'here' }
  /** By the program that stood in for the other processor. */
  | { readonly kind: 'emulated'; readonly by: string }
  | { readonly kind: 'not'; readonly because: string };

/** How an executable of a target can be started on this machine: the first words of the command line. */
export type HowToExecute =
  | { readonly execution: Exclude<Execution, { readonly kind: 'not' }>; readonly before: readonly string[] }
  | { readonly execution: Extract<Execution, { readonly kind: 'not' }> };

/** Emulated is only what needs no set-up of ours: another processor under Linux, by qemu's user mode. */
export async function howToExecute(
  target: Target,
  env: Readonly<Record<string, string | undefined>>,
): Promise<HowToExecute> {
  if (target === hostTarget()) return { execution: { kind: 'here' }, before: [] };
  if (process.platform !== 'linux' || !target.startsWith('linux-')) {
    return { execution: { kind: 'not', because: `this is ${process.platform}-${process.arch}` } };
  }
  const machine = target === 'linux-arm64' ? 'aarch64' : 'x86_64';
  for (const name of [`qemu-${machine}`, `qemu-${machine}-static`]) {
    const file = await onPath(name, env['PATH'] ?? '');
    if (file === undefined) continue;
    const root = env['QEMU_LD_PREFIX'] ?? `/usr/${machine}-linux-gnu`;
    return { execution: { kind: 'emulated', by: name }, before: [file, '-L', root] };
  }
  return { execution: { kind: 'not', because: `there is no qemu-${machine} here` } };
}

/** In one phrase. */
export function inWords(execution: Execution): string {
  if (execution.kind === 'here') return 'executed here';
  if (execution.kind === 'emulated') return `executed under emulation (${execution.by})`;
  return `not executed: ${execution.because}`;
}

async function onPath(name: string, list: string): Promise<string | undefined> {
  for (const dir of list.split(path.delimiter).filter(path.isAbsolute)) {
    const file = path.join(dir, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}
