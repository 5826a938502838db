import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** What a helper knows about a registry. */
export interface HelperLogin {
  readonly username: string;
  readonly secret: string;
}

/** A helper may ask a cloud for a token; one that asks a person waits for ever. */
const helperMs = 30_000;
const maxOutputBytes = 256 * 1024;

/**
 * Asks a program `docker-credential-<helper>` of the administrator for what it has about a registry.
 *
 * @throws Error that says what the program did; nothing that it keeps is in it.
 */
export async function askCredentialHelper(
  helper: string,
  server: string,
  signal: AbortSignal,
): Promise<HelperLogin | undefined> {
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(helper))
    throw new Error(`expected the name of a credential helper, found "${helper.slice(0, 100)}"`);
  const program = `docker-credential-${helper}`;
  const { code, stdout } = await run(program, server, AbortSignal.any([signal, AbortSignal.timeout(helperMs)]));
  // All helpers share these words for "none". Source: docker-credential-helpers, errors.
  if (code !== 0 && /credentials not found/i.test(stdout)) return undefined;
  if (code !== 0) throw new Error(`${program} ended with code ${code ?? 'none'}: ${stdout.trim().slice(0, 200)}`);
  return readAnswer(stdout, program);
}

function readAnswer(stdout: string, program: string): HelperLogin | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw new Error(`${program} did not answer with JSON`);
  }
  if (typeof answer !== 'object' || answer === null) throw new Error(`${program} answered without Username and Secret`);
  const { Username: username, Secret: secret } = answer as { readonly Username?: unknown; readonly Secret?: unknown };
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw new Error(`${program} answered without Username and Secret`);
  return secret === '' ? undefined : { username, secret };
}

/** Its environment is the runner's own: it is a program of the administrator, and finds its login there. */
async function run(
  program: string,
  input: string,
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly stdout: string }> {
  signal.throwIfAborted();
  // A group of its own, because helpers are often scripts, whose programs would go on without them.
  const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], detached: process.platform !== 'win32' });
  const end = (): void => endGroup(child);
  signal.addEventListener('abort', end, { once: true });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxOutputBytes) chunks.push(chunk);
    else end();
  });
  // A helper that does not read what it is asked answers all the same.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [code] = (await once(child, 'close')) as [number | null]; // as Node documents the event
    if (signal.aborted) throw new Error(`${program} did not answer in time`);
    return { code, stdout: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isMissing ? new Error(`${program} is not in the PATH of the runner`, { cause: error }) : error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

function endGroup(child: ChildProcessByStdio<Writable, Readable, null>): void {
  try {
    if (child.pid !== undefined && process.platform !== 'win32') process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
  child.kill('SIGKILL');
  // What left the group may hold the pipe open.
  child.stdout.destroy();
}
