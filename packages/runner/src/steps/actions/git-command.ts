import { type ChildProcess, spawn } from 'node:child_process';
import type { GitLogin } from './git.ts';
import { GitError, gitError } from './git-error.ts';

/** How a git command is run. */
export interface GitCall {
  /** Bare repository that the command works on. Default: none. */
  readonly repository?: string;
  /** Login for the server; goes by the environment, never by the command line. */
  readonly login?: GitLogin;
  readonly input?: string;
  /** Limit in milliseconds. */
  readonly timeoutMs: number;
}

/** Runs git in a closed environment. */
export interface GitCommands {
  /** Output of a command. @throws GitError; the reason of `signal` when that aborts. */
  readonly run: (args: readonly string[], call: GitCall, signal: AbortSignal) => Promise<Buffer>;
  /** Output of a command as it comes. Breaking off the iteration ends it. */
  readonly stream: (args: readonly string[], call: GitCall, signal: AbortSignal) => AsyncGenerator<Uint8Array>;
}

/** Variables that tell a program how to reach the network; git gets them from the runner's own environment. */
const passedOn: readonly string[] = [
  'PATH',
  'Path',
  'SystemRoot',
  'http_proxy',
  'https_proxy',
  'HTTPS_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
  'GIT_SSL_CAINFO',
  'GIT_SSL_CAPATH',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** Settings of every command: nothing that a repository, a server or this machine's user brings along may run. */
const settings: readonly (readonly [name: string, value: string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['credential.helper', ''],
  ['core.askPass', ''],
  ['protocol.version', '2'],
  ['fetch.recurseSubmodules', 'false'],
  ['submodule.recurse', 'false'],
  // Files of an archive are the group's to read, not to write.
  ['tar.umask', '0022'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  // A server that says nothing is one that is not there.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
];

/**
 * The system's git. It asks nobody for a password, reads no configuration of user or machine, and speaks HTTP only.
 *
 * @param env the runner's own environment, for PATH, proxies and certificates.
 */
export function gitCommands(env: Readonly<Record<string, string | undefined>>): GitCommands {
  return {
    run: async (args, call, signal) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of runGit(args, call, env, signal)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    stream: (args, call, signal) => runGit(args, call, env, signal),
  };
}

async function* runGit(
  args: readonly string[],
  call: GitCall,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  const isWindows = process.platform === 'win32';
  const child = spawn('git', args, {
    env: gitEnvironment(call, env),
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that its helpers for HTTP end with it.
    detached: !isWindows,
    windowsHide: true,
  });
  const said = lastWords(child);
  const ended = endOf(child);
  let isLate = false;
  const end = (): void => endGroup(child, isWindows);
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, call.timeoutMs);
  signal.addEventListener('abort', end, { once: true });
  child.stdin.on('error', () => {}); // its exit code says what is wrong
  child.stdin.end(call.input ?? '');
  try {
    // A stream of bytes; Node types what it yields as anything.
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) yield chunk;
    const code = await ended;
    signal.throwIfAborted();
    if (isLate) throw new GitError('timeout', `no end within ${Math.ceil(call.timeoutMs / 1000)} s`);
    if (code !== 0) throw gitError(said());
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    end();
    // It may still write to the repository until it is gone.
    await ended.catch(() => {});
  }
}

function endOf(child: ChildProcess): Promise<number | null> {
  const ended = Promise.withResolvers<number | null>();
  child.once('error', (error: NodeJS.ErrnoException) => {
    const message = error.code === 'ENOENT' ? 'no git was found on the PATH of the runner' : error.message;
    ended.reject(new GitError(error.code === 'ENOENT' ? 'no-git' : 'other', message, error));
  });
  child.once('close', (code) => ended.resolve(code));
  ended.promise.catch(() => {}); // awaited after the output was taken
  return ended.promise;
}

function endGroup(child: ChildProcess, isWindows: boolean): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (isWindows) child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Gone in between.
  }
}

function gitEnvironment(call: GitCall, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const config = [...settings, ...loginSetting(call)];
  const variables: Record<string, string> = {
    // Without one, git would look for one around the folder that the runner was started in.
    GIT_DIR: call.repository ?? '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'http:https',
    // Messages are read for what failed.
    LC_ALL: 'C',
    HOME: call.repository ?? '/dev/null',
    GIT_CONFIG_COUNT: String(config.length),
  };
  for (const [index, [name, value]] of config.entries()) {
    variables[`GIT_CONFIG_KEY_${index}`] = name;
    variables[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  for (const name of passedOn) {
    const value = env[name];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

/** Only requests to the server itself carry the login: git compares the address with the one in the name. */
function loginSetting({ login }: GitCall): readonly (readonly [string, string])[] {
  if (login === undefined) return [];
  const { username, password } = login.credentials;
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  return [
    [`http.${login.origin}/.extraHeader`, `Authorization: Basic ${basic}`],
    // git would send the header on to whomever the server names.
    ['http.followRedirects', 'false'],
  ];
}

function lastWords(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-8192);
  });
  return () => text;
}
