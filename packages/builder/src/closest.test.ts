import { expect, it } from 'vitest';
import { closest } from './closest.ts';

it.each([
  ['@acme/backend-k8', ['@acme/backend-k8s', '@acme/other'], ['@acme/backend-k8s']],
  ['@acmee/backend-k8s', ['@acme/backend-k8s'], ['@acme/backend-k8s']],
  ['backend-k8s', ['@acme/backend-k8s', 'left-pad'], ['@acme/backend-k8s']],
  ['@corp/something', ['@acme/backend-k8s'], []],
  ['abc', ['abd', 'abe', 'abf', 'abg'], ['abd', 'abe', 'abf']],
  ['same', ['same'], []],
])('for %s of %j suggests %j', (name, candidates, expected) => {
  expect(closest(name, candidates)).toEqual(expected);
});
