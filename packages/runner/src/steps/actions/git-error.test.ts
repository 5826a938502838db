import { expect, it } from 'vitest';
import { gitError } from './git-error.ts';

it.each([
  ["fatal: could not read Username for 'http://h': terminal prompts disabled", 'auth'],
  ["fatal: Authentication failed for 'http://h/a/b/'", 'auth'],
  ["fatal: unable to access 'http://h/a/b/': The requested URL returned error: 403", 'auth'],
  ["fatal: repository 'http://h/a/b/' not found", 'no-repository'],
  ["remote: Not found\nfatal: repository 'https://h/a/b/' not found", 'no-repository'],
  ["fatal: couldn't find remote ref refs/heads/x", 'no-ref'],
  ['fatal: remote error: upload-pack: not our ref aaaa', 'no-ref'],
  ['error: Server does not allow request for unadvertised object aaaa', 'no-ref'],
  ["fatal: unable to access 'http://h/': Could not resolve host: h", 'network'],
  [
    "fatal: unable to access 'http://h/': Failed to connect to h port 80 after 1 ms: Couldn't connect to server",
    'network',
  ],
  ["fatal: unable to access 'http://h/': The requested URL returned error: 503", 'network'],
  ["fatal: unable to access 'http://h/': The requested URL returned error: 429", 'network'],
  ["fatal: unable to access 'http://h/': Empty reply from server", 'network'],
  [
    "fatal: unable to access 'http://h/': Operation too slow. Less than 1 bytes/sec transferred the last 60 seconds",
    'network',
  ],
  ['error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF', 'network'],
  ['fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF', 'network'],
  ["fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate", 'other'],
  ['fatal: index file corrupt', 'other'],
  ['', 'other'],
])('reads %j as %s', (said, failure) => {
  expect(gitError(said).failure).toBe(failure);
});

it('says the first thing that went wrong, on one line, without credentials', () => {
  const said = "remote: hm\nfatal: unable to access 'https://me:hunter2@h/a/': nothing\nfatal: more";
  expect(gitError(said).message).toBe("unable to access 'https://***@h/a/': nothing");
  expect(gitError('').message).toBe('git failed without a word');
  expect(gitError(`fatal: ${'x'.repeat(5000)}`).message).toHaveLength(300);
});
