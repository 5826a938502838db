import { expect, it } from 'vitest';
import { labelSchema, lxcCapabilities } from './label.ts';

const read = (value: unknown): unknown => {
  const result = labelSchema.safeParse(value);
  return result.success ? result.data : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

const plain = { template: 'debian', docker: false };
const usual = ['lxc', 'libvirt', 'docker'];

it.each([
  [{}, { ...plain, release: 'bookworm', presets: usual }],
  [{ image: 'debian' }, { ...plain, presets: usual }],
  [{ image: 'debian:trixie' }, { ...plain, release: 'trixie', presets: usual }],
  [{ image: 'debian:bookworm:lxc docker' }, { ...plain, release: 'bookworm', presets: ['lxc', 'docker'] }],
  [{ image: 'mine::unprivileged' }, { ...plain, template: 'mine', presets: ['unprivileged'] }],
  [
    { image: 'debian', presets: 'lxc,k8s' },
    { ...plain, presets: ['lxc', 'k8s'] },
  ],
  [
    { image: 'debian', presets: [] },
    { ...plain, presets: [] },
  ],
  [
    { image: 'debian', memory: '512', cpus: 1.5, pids: '100', docker: 'true' },
    { ...plain, presets: usual, memory: 512, cpus: 1.5, pids: 100, docker: true },
  ],
])('reads %j', (value, expected) => {
  expect(read(value)).toEqual(expected);
});

it.each([
  [{ image: '../x' }, 'image: expected TEMPLATE, TEMPLATE:RELEASE or TEMPLATE:RELEASE:PRESETS'],
  [{ image: 'debian:bookworm:root' }, 'image: expected presets (unprivileged, lxc, libvirt, docker, k8s)'],
  [
    { image: 'debian:bookworm:lxc', presets: 'k8s' },
    'presets: expected presets in the argument or in the option, found both',
  ],
  [{ docker: true, presets: 'unprivileged' }, 'docker: expected "docker" without the preset "unprivileged"'],
  [{ presets: 'lxc,root' }, 'presets: expected presets (unprivileged'],
  [{ presets: ['root'] }, 'presets: expected presets (unprivileged'],
  [{ memory: '0' }, 'memory: expected a number above 0'],
  [{ memory: 'much' }, 'memory: '],
  [{ memroy: 1 }, ': Unrecognized key: "memroy"'],
])('refuses %j', (value, message) => {
  expect(read(value)).toEqual([expect.stringContaining(message)]);
});

it('claims containers only where an engine is asked for', () => {
  expect(lxcCapabilities({ docker: false }).containers).toEqual({ via: 'none' });
  expect(lxcCapabilities({ docker: true }).containers).toEqual({ via: 'docker-endpoint' });
});
