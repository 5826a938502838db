import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { BackendError, type CallContext, type Env } from '@forgejo-runner/core';
import { type ProcessTable, startProcessGroup } from '@forgejo-runner/kit';

const places = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Finds a program. @throws BackendError `unavailable` with the package that has it. */
export function findProgram(name: string, isThere: (file: string) => boolean = isExecutable): string {
  const file = places.map((place) => path.join(place, name)).find(isThere);
  if (file !== undefined) return file;
  throw new BackendError(
    'unavailable',
    `expected the program "${name}" on this machine, found none in ${places.join(', ')}`,
    {
      resource: name,
      hint: `install the package ${name.startsWith('lxc-') ? 'lxc' : name}`,
    },
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What programs of ours see: nothing of the runner's but where programs and proxies are. */
export function toolEnv(more: Env = {}, from: NodeJS.ProcessEnv = process.env): Env {
  const handedOn = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  const proxies = handedOn.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]] as const]));
  return { PATH: places.join(':'), LC_ALL: 'C.UTF-8', HOME: '/root', ...Object.fromEntries(proxies), ...more };
}

/** One run of a program. */
export interface ToolRun {
  readonly argv: readonly [string, ...string[]];
  readonly env?: Env;
  /** Takes the output as it comes, such as the progress of a long run. */
  readonly output?: (chunk: Uint8Array) => void | PromiseLike<void>;
  /** What finds its processes. Default: those of this user. */
  readonly table?: ProcessTable;
}

/** How it ended. */
export interface ToolEnd {
  readonly code: number;
  readonly stdout: string;
  /** The last of it. */
  readonly stderr: string;
}

const keptChars = 64 * 1024;

/** Runs a program of the machine to its end. @throws BackendError `cancelled`, `unavailable`. */
export async function runTool(
  { argv, env, output, table }: ToolRun,
  ctx: Pick<CallContext, 'signal'>,
): Promise<ToolEnd> {
  const kept = { stdout: '', stderr: '' };
  const sink =
    (name: keyof typeof kept) =>
    async (chunk: Uint8Array): Promise<void> => {
      kept[name] = (kept[name] + Buffer.from(chunk).toString('utf8')).slice(-keptChars);
      await output?.(chunk);
    };
  const handle = startProcessGroup(
    { argv, env: env ?? toolEnv(), cwd: '/', stdout: sink('stdout'), stderr: sink('stderr'), stop: stages },
    { signal: ctx.signal, ...(table === undefined ? {} : { table }) },
  );
  const result = await handle.result;
  if (result.kind === 'stopped') throw new BackendError('cancelled', `running ${path.basename(argv[0])} was cancelled`);
  return { ...kept, code: result.kind === 'exited' ? result.code : 255 };
}

const stages = [
  { signal: 'SIGTERM', graceMs: 2000 },
  { signal: 'SIGKILL', graceMs: 0 },
] as const;

/** Runs a program that has to succeed. @throws BackendError of `code` with its last words. */
export async function runToolOk(
  run: ToolRun & { readonly doing: string; readonly resource: string },
  ctx: Pick<CallContext, 'signal'>,
): Promise<string> {
  const { code, stdout, stderr } = await runTool(run, ctx);
  if (code === 0) return stdout;
  throw toolError(run, `${stdout}\n${stderr}`, code);
}

/** What a program's failure means. */
export function toolError(
  { argv, doing, resource }: Pick<ToolRun, 'argv'> & { readonly doing: string; readonly resource: string },
  words: string,
  code: number,
): BackendError {
  const last = words.trim().split('\n').slice(-4).join('; ').slice(-600);
  const said = last === '' ? `it ended with ${code}` : last;
  const isFull = /no space left/i.test(words);
  return new BackendError('unavailable', `cannot ${doing}: ${path.basename(argv[0])} says "${said}"`, {
    resource,
    retryable: !isFull,
    ...(isFull ? { hint: 'make room on the disk of "storage"' } : {}),
  });
}
