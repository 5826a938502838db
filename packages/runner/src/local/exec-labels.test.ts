import { type LabelConfiguration, parseLabel } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import type { ServedLabel } from '../plan/planned-job.ts';
import { execLabels, lookUpLabels } from './exec-labels.ts';

const configured = [parseLabel('debian:docker://debian'), parseLabel('mac:tart')];
const short = ({ name, backend, options }: LabelConfiguration) => [name, backend, options];

it('takes the labels of the configuration, and lets --platform beat them', () => {
  const { labels } = execLabels({
    platforms: ['debian=host', 'new=docker://node:22?platform=linux/arm64'],
    configured,
  });
  expect(labels.map(short)).toEqual([
    ['debian', 'host', {}],
    ['mac', 'tart', {}],
    ['new', 'docker', { image: 'node:22', platform: 'linux/arm64' }],
  ]);
});

it('knows the word of the Go runner for the machine itself', () => {
  expect(execLabels({ platforms: ['x=-self-hosted'], configured: [] }).labels.map(short)).toEqual([['x', 'host', {}]]);
});

it.each([
  ['here', 'expected label=backend[:argument] after --platform, found "here"'],
  ['=host', 'expected label=backend[:argument] after --platform, found "=host"'],
  ['a=Host', '--platform "a=Host": label "a:Host": expected a backend of a-z'],
])('refuses --platform %s', (platform, message) => {
  expect(() => execLabels({ platforms: [platform], configured: [] })).toThrow(message);
});

it('lists everything that is wrong', () => {
  expect(() => execLabels({ platforms: ['a', 'b=B'], configured: [] })).toThrow(/found "a"\n.*"b=B"/);
});

it('serves every other name with the image', () => {
  const { labels, fallback } = execLabels({ platforms: ['a=host'], configured: [], image: 'alpine:3' });
  const served = new Map(
    labels.map((configuration) => [configuration.name, { configuration, resolved: {} } as unknown as ServedLabel]),
  );
  const lookup = lookUpLabels(served, fallback);
  expect(lookup.get('a')?.configuration.backend).toBe('host');
  expect(lookup.get('ubuntu')?.configuration).toMatchObject({
    name: 'ubuntu',
    backend: 'docker',
    options: { image: 'alpine:3' },
  });
  expect(lookup.get('ubuntu')?.resolved.canonical).toBe('ubuntu:docker://alpine:3');
  expect(lookup.names()).toEqual(['a']);
});

it('runs everything here with -self-hosted', () => {
  const { labels } = execLabels({ platforms: [], configured: [], image: '-self-hosted' });
  expect(labels.map(({ backend, options }) => [backend, options])).toEqual([['host', {}]]);
});
