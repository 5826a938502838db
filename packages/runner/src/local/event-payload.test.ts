import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeEventPayload, readEventPayload } from './event-payload.ts';
import type { RepositoryContext } from './repository-context.ts';

const sha = 'a'.repeat(40);
const context: RepositoryContext = {
  repository: 'ada/engine',
  owner: 'ada',
  name: 'engine',
  ref: 'refs/heads/topic',
  refName: 'topic',
  refType: 'branch',
  sha,
  actor: 'grace',
  defaultBranch: 'main',
  serverUrl: 'https://forge.example',
};

it.each([
  ['push', { ref: 'refs/heads/topic', after: sha, head_commit: { id: sha }, pusher: { login: 'grace' } }],
  ['pull_request', { number: 1, pull_request: { head: { ref: 'topic', sha }, base: { ref: 'main' } } }],
  ['pull_request_target', { action: 'opened' }],
  ['workflow_dispatch', { ref: 'refs/heads/topic', inputs: {} }],
  ['create', { ref: 'topic', ref_type: 'branch' }],
  ['delete', { ref: 'topic' }],
  ['issues', { issue: { number: 1 } }],
  ['release', { release: { tag_name: 'topic' } }],
  ['schedule', { schedule: '' }],
  ['something_else', {}],
])('makes a payload for %s', (event, own) => {
  expect(makeEventPayload(event, context)).toMatchObject({
    ...own,
    sender: { login: 'grace' },
    repository: { full_name: 'ada/engine', default_branch: 'main', clone_url: 'https://forge.example/ada/engine.git' },
  });
});

it('reads a payload from a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'event-'));
  const file = join(folder, 'event.json');
  try {
    await writeFile(file, '\uFEFF{"ref": "x"}');
    expect(await readEventPayload(file, folder)).toEqual({ ref: 'x' });
    for (const [text, message] of [
      ['{"ref": hunter2', `expected a JSON object in "event.json", found text that is not JSON`],
      ['[1]', `expected a JSON object in "event.json", found another value`],
      ['null', `expected a JSON object in "event.json", found another value`],
    ] as const) {
      await writeFile(file, text);
      await expect(readEventPayload(file, folder)).rejects.toThrow(
        expect.objectContaining({ code: 'FRR103', message }),
      );
    }
    await expect(readEventPayload(join(folder, 'no'), folder)).rejects.toThrow('at "no", found ENOENT');
  } finally {
    await rm(folder, { recursive: true });
  }
});
