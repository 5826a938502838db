import { expect, it } from 'vitest';
import { neededBackends } from './needed-backends.ts';

const ids = (text: string): readonly string[] => neededBackends(text, 'c.yml').map(({ id }) => id);

it.each([
  ['', []],
  ['runner:\n', []],
  ['runner: { labels: ["a", "b:docker://x", "c:host"] }', ['docker', 'host']],
  ['runner: { labels: ["a?image=x:y"] }', ['docker']],
  ['runner: { labels: { a: { backend: tart }, b: } }', ['tart', 'docker']],
  ['runner: { labels: ["a:arm://x"] }\nbackend: { arm: { factory: docker } }', ['docker']],
  ['runner: { labels: ["a:mine"] }\nplugins: { mine: { address: x } }', ['grpc']],
  ['server: { connections: { one: { labels: ["a:lxc"] }, two: } }', ['lxc']],
  ['runner: { labels: 3 }', []],
])('reads off %j that it needs %j', (text, expected) => {
  expect(ids(text)).toEqual(expected);
});

it('says which labels need a backend', () => {
  expect(neededBackends('runner:\n  labels:\n    - a:lxc\n    - b:lxc\n', 'c.yml')).toEqual([
    { id: 'lxc', neededBy: ['label a in line 3', 'label b in line 4'] },
  ]);
});

it('says where a file is no YAML', () => {
  expect(() => neededBackends('runner: [a\n', 'c.yml')).toThrow(
    expect.objectContaining({ code: 'FRB208', where: 'c.yml:2:1' }) as Error,
  );
});
