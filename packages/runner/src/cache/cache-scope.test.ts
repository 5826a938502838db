import { expect, it } from 'vitest';
import { fromJsonValue, type ValueMap } from '../expressions/values.ts';
import { cacheScope } from './cache-scope.ts';

const shared = { read: [''], write: '' };
const seventh = { read: ['refs/pull/7/head', ''], write: 'refs/pull/7/head' };
const request = { pull_request: { number: 7, merged: false } };

it.each([
  ['a push', { event_name: 'push', ref: 'refs/heads/main', event: {} }, shared],
  ['a tag', { event_name: 'push', ref: 'refs/tags/v1', event: {} }, shared],
  ['a pull request', { event_name: 'pull_request', ref: 'refs/pull/7/head', event: request }, seventh],
  ['the merge of one', { event_name: 'pull_request', ref: 'refs/pull/7/merge', event: request }, seventh],
  ['its review', { event_name: 'pull_request_review', ref: 'refs/pull/7/head', event: request }, seventh],
  [
    'a workflow that a pull request calls',
    { event_name: 'workflow_call', ref: 'refs/pull/7/head', event: { inputs: {} } },
    seventh,
  ],
  [
    'a called workflow that only the payload gives away',
    { event_name: 'workflow_call', ref: 'refs/heads/main', event: request },
    seventh,
  ],
  ['a called workflow of a push', { event_name: 'workflow_call', ref: 'refs/heads/main', event: {} }, shared],
  [
    'a merged pull request',
    {
      event_name: 'pull_request',
      ref: 'refs/pull/7/head',
      event: { action: 'closed', pull_request: { merged: true } },
    },
    shared,
  ],
  [
    'one that was closed unmerged',
    { event_name: 'pull_request', ref: 'refs/pull/7/head', event: { ...request, action: 'closed' } },
    seventh,
  ],
  [
    'one that only says that it is merged',
    {
      event_name: 'pull_request',
      ref: 'refs/pull/7/head',
      event: { action: 'edited', pull_request: { merged: true } },
    },
    seventh,
  ],
  ['pull_request_target', { event_name: 'pull_request_target', ref: 'refs/heads/main', event: request }, shared],
  ['pull_request without any trace', { event_name: 'pull_request', ref: 'refs/heads/x', event: {} }, { read: [''] }],
  ['nothing at all', {}, shared],
])('gives %s its scope', (_name, github, scope) => {
  // A mapping becomes a map.
  expect(cacheScope(fromJsonValue(github) as ValueMap)).toStrictEqual(scope);
});
