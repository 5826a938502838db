import type { Command } from 'commander';
import { quoted, UserError } from '../user-error.ts';
import { type OutputFlags, outputFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** What can be made from a template. */
export type CreateKind = 'backend' | 'distribution';

/** Flags of `create`. */
export interface CreateFlags extends OutputFlags {
  readonly id?: string;
  readonly title?: string;
  readonly dir?: string;
  /** `false` for `--no-interactive`. */
  readonly interactive: boolean;
}

/** The command that begins something new. */
export interface CreateCommands {
  readonly create: (kind: CreateKind, name: string | undefined, flags: CreateFlags) => Promise<number>;
}

/** Defines `create`. */
export function defineCreate(program: Command, commands: CreateCommands, finish: Finish): void {
  outputFlags(program.command('create'))
    .description('begin something new that works: create backend @acme/backend-foo, create distribution acme-runner')
    .argument('<kind>', 'backend, or distribution')
    .argument('[name]', 'name of the package or the distribution; asked for on a terminal')
    .option('--id <id>', 'id of the backend in labels (default: what the name suggests)')
    .option('--title <title>', 'name of the distribution as people read it (default: what the name suggests)')
    .option('--dir <folder>', 'where it is made (default: the last part of the name)')
    .option('--no-interactive', 'ask nothing, also on a terminal')
    .action((kind: string, name: string | undefined, flags: CreateFlags) =>
      finish(commands.create(requireKind(kind, flags), name, flags)),
    );
}

function requireKind(kind: string, { id, title }: CreateFlags): CreateKind {
  if (kind !== 'backend' && kind !== 'distribution') {
    throw new UserError('FRB101', `create ${quoted(kind)}: expected backend or distribution`);
  }
  const foreign = kind === 'backend' ? title : id;
  if (foreign === undefined) return kind;
  throw new UserError('FRB101', `create ${kind}: takes no ${kind === 'backend' ? '--title' : '--id'}`);
}
