import { expect, it } from 'vitest';
import { parseExpectation } from './workflow-expectation.ts';

it('reads every kind of line', () => {
  const text = [
    '# a comment',
    'title: says hello',
    'needs: bash posix',
    'event: workflow_dispatch',
    'payload: {"ref":"refs/heads/x"}',
    'input who=world',
    'secret TOKEN="a\\nb"',
    'var EMPTY=',
    'result: failure',
    'message: ^a .* message$',
    'forbid: hunter2',
    'job build (linux, 1): failure',
    'output name=a=b',
    'step 1 "Say \\"hello\\"": failure success',
    '| exact',
    '|   indented',
    '|',
    '|"tab\\tbed"',
    '...',
    '|~ ^x+$',
    'step 2: skipped',
    'job "after: all": success',
    '',
  ].join('\n');
  expect(parseExpectation(text)).toEqual({
    title: 'says hello',
    needs: ['bash', 'posix'],
    event: 'workflow_dispatch',
    payload: { ref: 'refs/heads/x' },
    inputs: { who: 'world' },
    secrets: { TOKEN: 'a\nb' },
    vars: { EMPTY: '' },
    expect: {
      result: 'failure',
      messages: [/^a .* message$/mu],
      forbidden: ['hunter2'],
      jobs: [
        {
          name: 'build (linux, 1)',
          result: 'failure',
          outputs: { name: 'a=b' },
          steps: [
            {
              number: 1,
              name: 'Say "hello"',
              outcome: 'failure',
              conclusion: 'success',
              lines: [
                { kind: 'exact', text: 'exact' },
                { kind: 'exact', text: '  indented' },
                { kind: 'exact', text: '' },
                { kind: 'exact', text: 'tab\tbed' },
                { kind: 'gap' },
                { kind: 'pattern', pattern: /^x+$/u },
              ],
            },
            { number: 2, outcome: 'skipped', conclusion: 'skipped', lines: [] },
          ],
        },
        { name: 'after: all', result: 'success', outputs: {}, steps: [] },
      ],
    },
  });
});

it.each([
  ['titel: typo', 'x.expect:1: expected a key, a row or "...", found "titel: typo"'],
  ['title: t\n| row', 'x.expect:2: expected a step before its rows'],
  ['title: t\nstep 1: success', 'x.expect:2: expected a job before its step'],
  ['title: t\noutput a=b', 'x.expect:2: expected a job before its output'],
  ['title: t\nresult: fine', 'x.expect:2: expected the result success, failure or refused, found "fine"'],
  ['event: push', 'x.expect: expected a line "title: …", found none'],
])('refuses %j', (text, message) => {
  expect(() => parseExpectation(text, 'x.expect')).toThrow(message);
});
