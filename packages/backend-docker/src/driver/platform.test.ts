import { expect, it } from 'vitest';
import { isForPlatform, platformName, runsNatively } from './platform.ts';

const image = (platform: string): Parameters<typeof platformName>[0] => {
  const [os = '', architecture = '', variant = ''] = platform.split('/');
  return { os, architecture, variant };
};

it.each([
  ['linux/amd64', 'linux/amd64', true],
  ['linux/amd64', 'linux/x86_64', true],
  ['linux/arm64/v8', 'linux/arm64', true],
  ['linux/arm64', 'linux/arm64/v8', true],
  ['linux/arm/v6', 'linux/arm/v7', false],
  ['linux/arm64', 'linux/amd64', false],
  ['windows/amd64', 'linux/amd64', false],
])('an image for %s for %s: %s', (made, wanted, expected) => {
  expect(isForPlatform(image(made), wanted)).toBe(expected);
});

it.each([
  ['linux/amd64', true],
  ['linux/386', true],
  ['linux/arm64', false],
  ['windows/amd64', false],
])('an engine for linux/amd64 runs %s by itself: %s', (made, expected) => {
  expect(runsNatively(image(made), { os: 'linux', arch: 'amd64' })).toBe(expected);
});

it('is written as people write it', () => {
  expect([platformName(image('linux/arm64/v8')), platformName(image('linux/amd64'))]).toEqual([
    'linux/arm64/v8',
    'linux/amd64',
  ]);
});
