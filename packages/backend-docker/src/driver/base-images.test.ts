import { expect, it } from 'vitest';
import { baseImages } from './base-images.ts';

it.each([
  ['FROM node:22', ['node:22']],
  [
    '# syntax=docker/dockerfile:1\nFROM --platform=linux/amd64 code.example/a:1 AS build\nFROM build\nFROM scratch',
    ['code.example/a:1'],
  ],
  ['ARG VERSION=22\nFROM node:${VERSION}-slim', ['node:22-slim']],
  ['ARG HOST="code.example"\nfrom $HOST/app', ['code.example/app']],
  ['ARG X\nFROM node:${X:-20}', ['node:20']],
  ['ARG X\nFROM node:$X', []],
  ['FROM \\\n  node:22 \\\n  as a\nFROM a\nFROM debian', ['node:22', 'debian']],
  ['FROM node:22\r\nRUN echo FROM evil\r\n', ['node:22']],
  ['RUN nothing', []],
  ['', []],
])('of %j are %j', (dockerfile, expected) => {
  expect(baseImages(dockerfile, {})).toEqual(expected);
});

it('follow the arguments of a build', () => {
  expect(baseImages('ARG V=1\nFROM node:$V', { V: '24' })).toEqual(['node:24']);
});
