import * as fc from 'fast-check';
import { isBackendError } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { parseImageReference } from './image-reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

it.each([
  ['node', 'docker.io', 'node', 'latest'],
  ['node:22-bookworm', 'docker.io', 'node', '22-bookworm'],
  ['acme/app:1', 'docker.io', 'acme/app', '1'],
  ['docker.io/library/node:22', 'docker.io', 'docker.io/library/node', '22'],
  ['index.docker.io/acme/app', 'docker.io', 'index.docker.io/acme/app', 'latest'],
  ['localhost/app', 'localhost', 'localhost/app', 'latest'],
  ['localhost:5000/app:2', 'localhost:5000', 'localhost:5000/app', '2'],
  ['Registry.Example/app', 'registry.example', 'Registry.Example/app', 'latest'],
  ['127.0.0.1:5000/a/b/c:v1.2_3', '127.0.0.1:5000', '127.0.0.1:5000/a/b/c', 'v1.2_3'],
  ['[::1]:5000/app', '[::1]:5000', '[::1]:5000/app', 'latest'],
  [`code.example/app@${digest}`, 'code.example', 'code.example/app', digest],
  [`code.example/app:1@${digest}`, 'code.example', 'code.example/app', digest],
])('reads %s', (image, registry, name, version) => {
  expect(parseImageReference(image)).toEqual({ registry, name, version, isId: false });
});

it('takes the id of an image for what it is', () => {
  expect(parseImageReference(digest)).toEqual({ registry: '', name: digest, version: '', isId: true });
});

it.each([
  '',
  ' ',
  'node:',
  ':22',
  'node:a b',
  '-n',
  'a//b',
  '../a',
  'http://a/b',
  'node@sha256:12',
  'a\nb',
  'a'.repeat(300),
  'registry.example/',
  '$(x)',
])('refuses %j', (image) => {
  expect(() => parseImageReference(image)).toThrow(/^expected the name of an image such as node:22-bookworm, found /);
});

it('says that capital letters are in the way', () => {
  expect(() => parseImageReference('acme/App')).toThrow('which has capital letters');
});

it('either reads or refuses whatever it is given', () => {
  const readsOrRefuses = fc.property(
    fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9.:/@_-]{0,300}$/)),
    (image) => {
      try {
        const { name, version } = parseImageReference(image);
        return name.length > 0 && !/[\s?#]/.test(name + version);
      } catch (error) {
        return isBackendError(error) && error.code === 'plan';
      }
    },
  );
  expect(() => fc.assert(readsOrRefuses)).not.toThrow();
});
