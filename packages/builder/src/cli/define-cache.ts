import type { Command } from 'commander';
import type { AnswerFlags } from './define-catalogue.ts';
import { quoted, UserError } from '../user-error.ts';
import { cacheFlag, outputFlags } from './flags.ts';
import type { Finish } from './program.ts';

/** What `cache` can do. */
export type CacheAction = 'ls' | 'prune' | 'verify';

/** Flags of `cache`. */
export interface CacheFlags extends AnswerFlags {
  readonly cacheDir?: string;
  readonly maxSize?: string;
  readonly unusedFor?: string;
}

/** The command about the cache. */
export interface CacheCommands {
  readonly cache: (action: CacheAction, flags: CacheFlags) => Promise<number>;
}

/** Defines `cache ls`, `cache prune` and `cache verify`. */
export function defineCache(program: Command, commands: CacheCommands, finish: Finish): void {
  outputFlags(cacheFlag(program.command('cache')))
    .description('look through the cache: ls, prune what is old or left behind, verify what is installed')
    .argument('<action>', 'ls, prune or verify')
    .option(
      '--max-size <size>',
      'prune: remove what was not used for longest, until the rest is at most this, such as 2GB',
    )
    .option('--unused-for <time>', 'prune: remove what was not used for this long, such as 30d')
    .option('--json', 'answer in JSON')
    .action((action: string, flags: CacheFlags) => finish(commands.cache(requireAction(action), flags)));
}

function requireAction(action: string): CacheAction {
  if (action === 'ls' || action === 'prune' || action === 'verify') return action;
  throw new UserError('FRB101', `cache ${quoted(action)}: expected ls, prune or verify`);
}
