import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ServeOptions } from '../src/index.ts';

/** The host backend behind an address, in a process of its own that may be killed and started again. */
export interface HostPlugin extends AsyncDisposable {
  readonly start: () => Promise<void>;
  /** With SIGKILL. */
  readonly kill: () => Promise<void>;
}

/** Prepares a plugin; it is not started. */
export function hostPlugin(options: ServeOptions): HostPlugin {
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill(signal);
    await exited;
  };
  return {
    start: async () => {
      const program = fileURLToPath(new URL('serve-process.ts', import.meta.url));
      const args = ['--conditions=@forgejo-runner/source', program, JSON.stringify(options)];
      const started = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      child = started;
      const lines = createInterface({ input: started.stdout });
      const [first] = await Promise.race([
        once(lines, 'line'),
        once(started, 'exit').then(([code]) => {
          throw new Error(`the plugin ended with ${String(code)} before it listened`);
        }),
      ]);
      if (typeof first !== 'string') throw new Error('expected an address');
    },
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}
