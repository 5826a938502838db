import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { readConfig } from './load.ts';

function labelsOf(text: string) {
  return readConfig(text, 'c.yml').labels;
}

function problemsOf(text: string): readonly string[] {
  try {
    labelsOf(text);
    return [];
  } catch (error) {
    return error instanceof UserError ? [error.code, ...error.message.split('\n')] : [String(error)];
  }
}

it('reads a list', () => {
  expect(
    labelsOf('runner:\n  labels:\n    - debian:docker://node:22?platform=linux/amd64\n    - shell:host\n    - 7'),
  ).toEqual([
    {
      name: 'debian',
      backend: 'docker',
      options: { image: 'node:22', platform: 'linux/amd64' },
      form: 'string',
      where: { file: 'c.yml', line: 3, column: 7 },
    },
    { name: 'shell', backend: 'host', options: {}, form: 'string', where: { file: 'c.yml', line: 4, column: 7 } },
    { name: '7', backend: 'docker', options: {}, form: 'string', where: { file: 'c.yml', line: 5, column: 7 } },
  ]);
});

it('reads a mapping', () => {
  const text = `
runner:
  labels:
    freebsd-15: { backend: docker, backend-options: { image: "r/f:15", init: true, cpus: 1.5, none: ~ } }
    shell: { backend: host }
    plain:
`;
  expect(labelsOf(text)).toEqual([
    {
      name: 'freebsd-15',
      backend: 'docker',
      options: { image: 'r/f:15', init: true, cpus: 1.5, none: null },
      form: 'mapping',
      where: { file: 'c.yml', line: 4, column: 5 },
    },
    { name: 'shell', backend: 'host', options: {}, form: 'mapping', where: { file: 'c.yml', line: 5, column: 5 } },
    { name: 'plain', backend: 'docker', options: {}, form: 'mapping', where: { file: 'c.yml', line: 6, column: 5 } },
  ]);
});

it('keeps the labels of connections apart', () => {
  const text = `
runner: { labels: ["a:host"] }
server: { connections: { one: { url: u, uuid: u, token: t, labels: ["a:lxc", "b:host"] } } }
`;
  expect(labelsOf(text).map(({ name, backend, connection }) => [name, backend, connection])).toEqual([
    ['a', 'host', undefined],
    ['a', 'lxc', 'one'],
    ['b', 'host', 'one'],
  ]);
});

it('names all that is wrong with a list', () => {
  const text = 'runner:\n  labels: ["", " a:host", "a:Host", [x], ~, "a:host", "a:lxc", "b:docker:x?image=y"]';
  expect(problemsOf(text)).toEqual([
    'FRR202',
    'c.yml:2:12: label "": expected a name before ":" or "?"',
    'c.yml:2:16: label " a:host": expected a name without a space at its start or end',
    'c.yml:2:27: label "a:Host": expected a backend of a-z, 0-9, "-" and "_" that starts with a letter, found "Host"',
    'c.yml:2:37: expected a label as a text, found a list',
    'c.yml:2:42: expected a label as a text, found nothing',
    'c.yml:2:55: label "a" is given twice; it stands in line 2 already',
    'c.yml:2:64: label "b:docker:x?image=y": "image" is given twice, by the argument "x" and by the query',
  ]);
});

it('names all that is wrong with a mapping', () => {
  const text = `
runner:
  labels:
    " a": {}
    b:c: {}
    d: host
    e: { backend: ../x, backend-option: {} }
    f: { backend-options: [1] }
`;
  expect(problemsOf(text)).toEqual([
    'FRR202',
    'c.yml:4:5: label " a": expected a name without ":" and "?", and without a space at its start or end',
    'c.yml:5:5: label "b:c": expected a name without ":" and "?", and without a space at its start or end',
    'c.yml:6:8: label "d": expected a mapping with backend and backend-options, found "host"',
    'c.yml:7:19: label "e": expected the name of a backend, found "../x"',
    'c.yml:7:25: label "e": unknown key "backend-option"; did you mean "backend-options"',
    'c.yml:8:27: label "f": expected a mapping of options, found a list',
  ]);
});

it('refuses labels that are neither', () => {
  expect(problemsOf('runner: { labels: host }')).toEqual([
    'FRR202',
    'c.yml:1:19: expected a list or a mapping of labels, found "host"',
  ]);
});
