import type { FoundRef, Git, GitFetch, GitRemote } from './git.ts';
import { isFullSha } from './git.ts';
import { type GitCommands, gitCommands } from './git-command.ts';
import { GitError } from './git-error.ts';

const allRefs: readonly string[] = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/** Git by the commands of the system. */
export function systemGit(
  env: Readonly<Record<string, string | undefined>>,
  commands: GitCommands = gitCommands(env),
): Git {
  return {
    findRef: (names, remote, signal) => findRef(commands, names, remote, signal),
    findCommits: async (start, into, signal) => {
      await initialize(commands, start, into, signal);
      // Commits without their files, where the server can do that.
      await commands.run(['fetch', '--quiet', '--filter=tree:0', '--', into.url, ...allRefs], into, signal);
      const commits = (await commands.run(['rev-list', '--all'], into, signal)).toString().split('\n');
      return commits.filter((commit) => commit.startsWith(start));
    },
    fetch: (what, into, signal) => fetchCommit(commands, what, into, signal),
    findDamage: async ({ sha, ...call }, signal) => {
      try {
        await commands.run(['cat-file', '-e', `${sha}^{tree}`], call, signal);
        return undefined;
      } catch (error) {
        if (!(error instanceof GitError) || error.failure !== 'other') throw error;
        return error.message;
      }
    },
    readFile: async (path, { sha, limitBytes, ...call }, signal) => {
      // One process each: they are a few, and the output of one cannot be taken for another's.
      const said = await commands.run(
        ['cat-file', '--batch', '--follow-symlinks'],
        { ...call, input: `${sha}:${path}\n` },
        signal,
      );
      return readBatch(said, limitBytes);
    },
    archive: (folder, { sha, ...call }, signal) =>
      commands.stream(['archive', '--format=tar', folder === '' ? sha : `${sha}:${folder}`], call, signal),
  };
}

async function findRef(
  commands: GitCommands,
  names: readonly string[],
  remote: GitRemote,
  signal: AbortSignal,
): Promise<FoundRef | undefined> {
  const patterns = names.flatMap((name) => [name, `${name}^{}`]);
  const listed = await commands.run(['ls-remote', '--quiet', '--', remote.url, ...patterns], remote, signal);
  const shas = new Map<string, string>();
  for (const line of listed.toString().split('\n')) {
    const [sha = '', name = ''] = line.split('\t');
    if (isFullSha(sha)) shas.set(name, sha);
  }
  for (const name of names) {
    // `^{}` is the commit of an annotated tag.
    const sha = shas.get(`${name}^{}`) ?? shas.get(name);
    if (sha !== undefined) return { name, sha };
  }
  return undefined;
}

async function fetchCommit(
  commands: GitCommands,
  { name, sha }: FoundRef,
  into: GitFetch,
  signal: AbortSignal,
): Promise<string> {
  await initialize(commands, sha, into, signal);
  const fetch = ['fetch', '--quiet', '--no-tags'];
  let found = 'FETCH_HEAD';
  try {
    await commands.run([...fetch, '--depth=1', '--', into.url, name], into, signal);
  } catch (error) {
    if (!isFullSha(name) || !(error instanceof GitError) || error.failure !== 'no-ref') throw error;
    // Some servers hand out only what a reference points at.
    await commands.run([...fetch, '--', into.url, ...allRefs], into, signal);
    found = name;
  }
  try {
    const commit = await commands.run(['rev-parse', '--verify', '--quiet', `${found}^{commit}`], into, signal);
    return commit.toString().trim();
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new GitError('no-ref', `no commit is called "${name}"`, error);
  }
}

async function initialize(commands: GitCommands, id: string, call: GitFetch, signal: AbortSignal): Promise<void> {
  const format = isFullSha(id) && id.length === 64 ? ['--object-format=sha256'] : [];
  await commands.run(['init', '--quiet', '--bare', '--template=', ...format], call, signal);
}

/** Source: `git cat-file --batch`: `<id> <type> <size>`, a newline, the content; or words of what is missing. */
function readBatch(said: Buffer, limitBytes: number): Buffer<ArrayBuffer> | undefined {
  const end = said.indexOf('\n');
  const [, size = ''] = /^[0-9a-f]+ blob (\d+)$/.exec(said.toString('utf8', 0, Math.max(end, 0))) ?? [];
  if (size === '' || Number(size) > limitBytes) return undefined;
  return Buffer.from(said.subarray(end + 1, end + 1 + Number(size)));
}
