import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { openTempFolder, type TempFolder } from './temp-folder.ts';

/** What came in at a git server. */
export interface GitRequest {
  readonly method: string;
  readonly path: string;
  readonly service: 'upload-pack' | 'other';
  readonly authorization?: string;
}

/** How a git server behaves. */
export interface GitServerOptions {
  /** Asked for each request with its repository, `owner/name`, and its `Authorization`; a number is the status to refuse with. */
  readonly authorize?: (repository: string, authorization: string | undefined) => number | undefined;
  /** Asked before each request; what it returns is answered in place of git, `hang` never answers. */
  readonly fault?: (request: GitRequest) => number | 'hang' | undefined;
}

/** A server of repositories by smart HTTP on the loopback interface, as Forgejo is one. */
export interface GitServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:4711`. */
  readonly url: string;
  readonly requests: readonly GitRequest[];
  /**
   * Adds a commit to a repository, which is made where it is missing, and moves what `refs` name to it.
   *
   * @returns its id.
   */
  readonly commit: (
    repository: string,
    files: Readonly<Record<string, string | Uint8Array>>,
    options?: {
      readonly refs?: readonly string[];
      readonly annotated?: string;
      readonly executable?: readonly string[];
    },
  ) => Promise<string>;
  /** Runs git in a repository. */
  readonly git: (repository: string, ...args: readonly string[]) => Promise<string>;
}

/**
 * Starts a git server with repositories that a test writes. Needs git with `git http-backend`.
 *
 * ```ts
 * await using server = await startGitServer();
 * await server.commit('actions/greet', { 'action.yml': '…' }, { refs: ['refs/tags/v1'] });
 * ```
 */
export async function startGitServer(options: GitServerOptions = {}): Promise<GitServer> {
  const folder = await openTempFolder('forgejo-runner-git-');
  const requests: GitRequest[] = [];
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://server');
    const { authorization } = request.headers;
    const seen: GitRequest = {
      method: request.method ?? '',
      path: url.pathname,
      service: url.pathname.endsWith('/git-upload-pack') ? 'upload-pack' : 'other',
      ...(authorization === undefined ? {} : { authorization }),
    };
    requests.push(seen);
    const repository = /^\/(.*?)(?:\.git)?\/(?:info\/refs|git-upload-pack)$/.exec(url.pathname)?.[1] ?? '';
    const fault = options.fault?.(seen);
    if (fault === 'hang') return;
    const refusal = fault ?? options.authorize?.(repository, authorization);
    if (refusal === undefined) await serve(folder.path, { request, response, url, repository });
    else response.writeHead(refusal, refusal === 401 ? { 'www-authenticate': 'Basic realm="test"' } : {}).end();
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // An address of a TCP server is never a text.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    commit: (repository, files, refs) => commit(folder, repository, files, refs ?? {}),
    git: (repository, ...args) => git(folder.join(`${repository}.git`), args),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly repository: string;
}

/** Hands a request to `git http-backend`, which speaks CGI. */
async function serve(root: string, { request, response, url, repository }: Exchange): Promise<void> {
  const rest = /\/(?:info\/refs|git-upload-pack)$/.exec(url.pathname)?.[0] ?? '';
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      PATH_INFO: `/${repository}.git${rest}`,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {}); // git may not want the rest
  request.pipe(child.stdin);
  response.on('close', () => child.kill());
  let head: Buffer | undefined = Buffer.alloc(0);
  // A stream of bytes; Node types what it yields as anything.
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    if (head === undefined) {
      response.write(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    writeHead(response, head.toString('latin1', 0, end));
    response.write(head.subarray(end + 4));
    head = undefined;
  }
  response.end();
}

function writeHead(response: ServerResponse, head: string): void {
  for (const line of head.split('\r\n')) {
    const [name = '', value = ''] = line.split(/:\s*/, 2);
    if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
}

async function commit(
  folder: TempFolder,
  repository: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  options: { readonly refs?: readonly string[]; readonly annotated?: string; readonly executable?: readonly string[] },
): Promise<string> {
  const bare = folder.join(`${repository}.git`);
  await git(bare, ['init', '--quiet', '--bare', '-b', 'main']);
  await using work = await openTempFolder('forgejo-runner-git-work-');
  await work.write(files);
  const index = work.join('.index');
  const inWork = (...args: readonly string[]): Promise<string> =>
    git(bare, ['--work-tree', work.path, ...args], { GIT_INDEX_FILE: index });
  await inWork('add', '--all', '--force', '--', ...Object.keys(files));
  for (const file of options.executable ?? []) await inWork('update-index', '--chmod=+x', '--', file);
  const tree = await inWork('write-tree');
  const parent = await git(bare, ['rev-parse', '--verify', '--quiet', 'refs/heads/main']).catch(() => '');
  const parents = parent === '' ? [] : ['-p', parent];
  const sha = await git(bare, ['commit-tree', tree, ...parents, '-m', `commit ${Math.random()}`]);
  for (const ref of options.refs ?? ['refs/heads/main']) await git(bare, ['update-ref', ref, sha]);
  if (options.annotated !== undefined) await git(bare, ['tag', '-f', '-m', 'tag', options.annotated, sha]);
  return sha;
}

async function git(bare: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  await mkdir(dirname(bare), { recursive: true });
  const child = spawn('git', args, {
    env: {
      PATH: process.env['PATH'],
      GIT_DIR: bare,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'Test',
      GIT_AUTHOR_EMAIL: 'test@localhost',
      GIT_COMMITTER_NAME: 'Test',
      GIT_COMMITTER_EMAIL: 'test@localhost',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${err.trim()}`);
  return out.trim();
}
