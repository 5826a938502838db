import { expect, it, test } from 'vitest';
import { UserError } from '../user-error.ts';
import { parseAction } from './parse-action.ts';

function failure(text: string): readonly string[] {
  try {
    parseAction(text, 'action.yml');
  } catch (error) {
    if (error instanceof UserError && error.code === 'FRR302') return error.message.split('\n');
    throw error;
  }
  throw new Error('it was accepted');
}

it('reads a composite action', () => {
  const action = parseAction(
    `name: Greet
description: Says hello
author: me
branding: {icon: heart}
inputs:
  who: {description: whom, required: true, default: world, deprecationMessage: use name}
  plain:
outputs:
  said: {description: what, value: "\${{ steps.a.outputs.said }}"}
runs:
  using: composite
  steps:
    - {id: a, run: echo, shell: bash}
`,
    'action.yml',
  );
  expect(action).toMatchObject({
    file: 'action.yml',
    name: 'Greet',
    description: 'Says hello',
    notices: [],
    runs: { kind: 'composite', at: { line: 10, column: 1 }, steps: [{ id: 'a', does: { kind: 'run' } }] },
  });
  expect(action.inputs.get('who')).toMatchObject({
    required: true,
    default: { value: 'world' },
    deprecationMessage: 'use name',
  });
  expect(action.inputs.get('plain')).toEqual({ required: false, at: { file: 'action.yml', line: 7, column: 3 } });
  expect(action.outputs.get('said')?.value?.at).toEqual({ file: 'action.yml', line: 9, column: 36 });
});

test.each<[title: string, runs: string, expected: object]>([
  ['node', '{using: node20, main: a.js}', { kind: 'node', using: 'node20', main: 'a.js' }],
  [
    'node with pre and post',
    '{using: Node24, main: a.js, pre: b.js, pre-if: always(), post: c.js, post-if: success()}',
    {
      kind: 'node',
      using: 'Node24',
      pre: 'b.js',
      preIf: { value: 'always()' },
      post: 'c.js',
      postIf: { value: 'success()' },
    },
  ],
  [
    'docker',
    '{using: docker, image: Dockerfile, entrypoint: /a, pre-entrypoint: /b, post-entrypoint: /c, args: [x, 1], env: {A: b}}',
    {
      kind: 'docker',
      image: 'Dockerfile',
      entrypoint: { value: '/a' },
      preEntrypoint: { value: '/b' },
      postEntrypoint: { value: '/c' },
      args: [{ value: 'x' }, { value: 1 }],
      env: { kind: 'mapping' },
    },
  ],
  ['a kind of a later day', '{using: wasm, main: a.wasm}', { kind: 'unknown', using: 'wasm' }],
])('reads %s', (_title, runs, expected) => {
  expect(parseAction(`runs: ${runs}\n`, 'action.yml').runs).toMatchObject(expected);
});

test.each<[title: string, text: string, problems: readonly string[]]>([
  ['a text', 'hello', ['action.yml:1:1: expected a mapping with "runs", found "hello"']],
  ['no runs', 'name: a\n', ['action.yml:1:1: expected "runs" in an action, found none']],
  ['runs as a list', 'runs: []\n', ['action.yml:1:7: expected a mapping for "runs", found a list']],
  ['no using', 'runs: {main: a}\n', ['action.yml:1:1: expected "using" in "runs", found none']],
  [
    'node without main',
    'runs: {using: node20}\n',
    ['action.yml:1:1: expected "main" in an action that uses "node20", found none'],
  ],
  [
    'docker without an image',
    'runs: {using: docker}\n',
    ['action.yml:1:1: expected "image" in an action that uses "docker", found none'],
  ],
  [
    'composite without steps',
    'runs: {using: composite}\n',
    ['action.yml:1:1: expected "steps" in a composite action, found none'],
  ],
  [
    'inputs as a list',
    'inputs: [a]\nruns: {using: node20, main: a}\n',
    ['action.yml:1:9: expected a mapping for "inputs", found a list'],
  ],
  [
    'an argument as a list',
    'runs: {using: docker, image: a, args: [[b]]}\n',
    ['action.yml:1:40: expected a text for an argument, found a list'],
  ],
])('refuses %s', (_title, text, problems) => {
  expect(failure(text)).toEqual(problems);
});

it('remarks on keys that it does not know', () => {
  const action = parseAction('runs: {using: node20, main: a, psot: b}\n', 'action.yml');
  expect(action.notices).toEqual([
    {
      message: '"psot" is not known to this runner and changes nothing; did you mean "post"?',
      at: { file: 'action.yml', line: 1, column: 32 },
    },
  ]);
});
