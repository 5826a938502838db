import { runProgram } from './run-program.ts';

/** Command lines of all processes of the machine that begin with this text. */
export async function processesWith(start: string): Promise<readonly string[]> {
  const env = { PATH: process.env['PATH'] ?? '' };
  const { stdout } = await runProgram(['ps', '-A', '-o', 'args='], { cwd: '/', env });
  return stdout.split('\n').filter((line) => line.startsWith(start));
}
