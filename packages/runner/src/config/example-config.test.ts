import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { exampleConfig } from './example-config.ts';
import { listSettings } from './list-settings.ts';
import { readConfig } from './load.ts';

it('is all defaults', () => {
  const { source: _, ...config } = readConfig(exampleConfig(), 'example.yml');
  expect(config).toEqual(readConfig('', 'defaults'));
});

it('has every setting that is not deprecated', () => {
  const keys = [...exampleConfig().matchAll(/^ *#?(\w+):/gm)].map(([, key]) => key);
  const expected = listSettings()
    .filter(({ setting }) => setting?.isDeprecated !== true)
    .map(({ path }) => path.at(-1)?.replace('<name>', 'example'));
  expect(keys).toEqual(expected);
});

it('has comments that are right when their marks are taken away', () => {
  const uncommented = exampleConfig().replaceAll(/^( *)#(?=\w+:)/gm, '$1');
  expect(() => readConfig(uncommented, 'example.yml')).toThrow(
    expect.objectContaining({
      problems: [
        expect.objectContaining({ message: 'server.connections.example: expected either token or token_url' }),
      ],
    }),
  );
  const config = readConfig(uncommented.replace(/^ *token_url:.*$/m, ''), 'example.yml');
  expect(config.connections.get('example')).toMatchObject({ token: 'TOKEN', fetchIntervalMs: 30_000 });
  expect(config.runner.startupRetry).toEqual({ maxRetries: 0, initialDelayMs: 1000, maxDelayMs: 0 });
  expect(config.cache.secretUrl).toBe('file:$CREDENTIALS_DIRECTORY/cache-secret');
});

it('has a place for every setting: a wrong value under any of them is found there', () => {
  for (const { path, setting } of listSettings()) {
    // What a backend or a plugin validates is not ours to refuse.
    const isOurs = setting !== undefined && setting.expected !== 'a mapping';
    if (!isOurs || path.at(-1) === 'labels') continue;
    const keys = path.map((key) => (key === '<name>' ? 'x' : key));
    const yaml = keys.map((key, depth) => `${'  '.repeat(depth)}${key}:`).join('\n');
    expect(() => readConfig(`${yaml} { a: { b: 1 } }`, 'c.yml')).toThrow(UserError);
    expect(() => readConfig(`${yaml} { a: { b: 1 } }`, 'c.yml')).toThrow(`c.yml:${keys.length}:`);
  }
});
