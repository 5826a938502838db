import { withoutCredentials } from './action-reference.ts';

/** Why git did not do what it was told. */
export type GitFailure = 'no-git' | 'auth' | 'no-repository' | 'no-ref' | 'network' | 'timeout' | 'other';

/** A git command that failed. The message is git's own last words, without credentials. */
export class GitError extends Error {
  override readonly name: string = 'GitError';
  readonly failure: GitFailure;

  constructor(failure: GitFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

// Source: the messages of git 2.39 to 2.50 and of libcurl in it, with LC_ALL=C.
const failures: readonly (readonly [failure: GitFailure, pattern: RegExp])[] = [
  [
    'auth',
    /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|returned error: 40[13]/i,
  ],
  ['no-repository', /repository '.*' not found|returned error: 404|not valid: is this a git repository/i],
  ['no-ref', /couldn't find remote ref|not our ref|unadvertised object|no such remote ref/i],
  [
    'network',
    /Could not resolve|Failed to connect|Couldn't connect|Connection (?:refused|reset|timed out)|timed out|too slow|early EOF|RPC failed|returned error: (?:5\d\d|429)|hung up unexpectedly|Empty reply|unexpected disconnect|bytes of body are still expected/i,
  ],
];

/** Reads from what git said why it failed. */
export function gitError(said: string): GitError {
  const [failure] = failures.find(([, pattern]) => pattern.test(said)) ?? ['other'];
  const lines = said.split(/[\r\n]+/).filter((line) => /^(?:fatal|error):/.test(line));
  const message = (lines[0] ?? said.trim().split('\n').at(-1) ?? '').replace(/^(?:fatal|error): /, '');
  return new GitError(failure, withoutCredentials(message).slice(0, 300) || 'git failed without a word');
}
