import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

/** A runner that was started. */
export interface StartedRunner {
  readonly send: (name: NodeJS.Signals) => void;
  /** Its exit code; 128 and the number of the signal that ended it, as shells count. */
  readonly ended: Promise<number>;
  /** Ends it: asks, hurries, and kills in the end. */
  readonly stop: () => Promise<void>;
}

const hurryAfterMs = 500;
const killAfterMs = 10_000;

/**
 * Starts a program in the foreground.
 *
 * In our process group: Ctrl-C reaches the runner from the terminal, and it ends in its own way.
 */
export function startRunner(
  [command = '', ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): StartedRunner {
  const child = spawn(command, args, { cwd, stdio: 'inherit', env });
  const send = (name: NodeJS.Signals): void => void child.kill(name);
  const ended = once(child, 'exit').then(([code, killedBy]: (number | NodeJS.Signals | null)[]) =>
    typeof code === 'number' ? code : 128 + (typeof killedBy === 'string' ? constants.signals[killedBy] : 0),
  );
  const stop = async (): Promise<void> => {
    const isOver = new AbortController();
    const stages = async (): Promise<void> => {
      send('SIGTERM');
      await wait(hurryAfterMs, undefined, { signal: isOver.signal });
      // A daemon finishes its jobs first, until it hears it a second time.
      send('SIGTERM');
      await wait(killAfterMs, undefined, { signal: isOver.signal });
      send('SIGKILL');
    };
    const staged = stages().catch(() => undefined);
    await ended.catch(() => undefined);
    isOver.abort();
    await staged;
  };
  return { send, ended, stop };
}
