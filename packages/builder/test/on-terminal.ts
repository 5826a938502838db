import { execFileSync, spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { type Ended, type Started, untilEnd } from './run-builder.ts';

/** Can commands run on a terminal here? util-linux has the program that gives them one. */
export function hasTerminal(): boolean {
  try {
    execFileSync('script', ['--version'], { stdio: 'ignore' });
    return process.platform === 'linux';
  } catch {
    return false;
  }
}

/** Runs a command on a terminal of 120 columns. What is typed is sent as soon as each prompt shows. */
export async function onTerminal(
  { file, args, options }: Started,
  answers: readonly { readonly prompt: string; readonly typed: string }[] = [],
): Promise<Ended> {
  const quoted = [file, ...args].map((part) => `'${part}'`).join(' ');
  const child = spawn('script', ['-qefc', `stty cols 120 rows 40; ${quoted}`, '/dev/null'], {
    ...options,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const waiting = [...answers];
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const [next] = waiting;
    if (next === undefined || !stripVTControlCharacters(shown).includes(next.prompt)) return;
    waiting.shift();
    shown = '';
    child.stdin.write(`${next.typed}\n`);
  });
  const ended = await untilEnd(child);
  child.stdin.destroy();
  return ended;
}
