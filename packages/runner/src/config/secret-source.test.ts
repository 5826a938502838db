import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { readSecretUrl } from './secret-source.ts';

it('reads files by any form of a file URL, without white space around the secret', async () => {
  await using temp = await openTempFolder();
  await temp.write({ 'a b': '  abc\n', token: 'x\n' });
  const read = (url: string): Promise<string> => readSecretUrl(url, { env: {}, cwd: temp.path, subject: 'token_url' });
  expect(await read(`file://${temp.path}/a%20b`)).toBe('abc');
  expect(await read(`file:${temp.path}/a b`)).toBe('abc');
  expect(await read('file:token')).toBe('x');
  expect(await read(`file://localhost${temp.path}/token`)).toBe('x');
});

it('finds credentials of systemd, also in a folder with odd characters', async () => {
  await using temp = await openTempFolder();
  await temp.write({ '$&/token': 'abc', '$&/CREDENTIALS_DIRECTORY_X': 'other' });
  const surroundings = { env: { CREDENTIALS_DIRECTORY: temp.join('$&') }, cwd: '/', subject: 'token_url' };
  expect(await readSecretUrl('file:$CREDENTIALS_DIRECTORY/token', surroundings)).toBe('abc');
  expect(await readSecretUrl('file://${CREDENTIALS_DIRECTORY}/token', surroundings)).toBe('abc');
});

it.each([
  ['file:$CREDENTIALS_DIRECTORY/token', 'expected the variable CREDENTIALS_DIRECTORY, found none'],
  ['file:missing', 'expected a readable file with a secret at "missing", found ENOENT'],
  ['file:empty', 'expected a secret in "empty", found an empty file'],
])('says what is wrong with %s', async (url, text) => {
  await using temp = await openTempFolder();
  await temp.write({ empty: '\n' });
  const reading = readSecretUrl(url, { env: {}, cwd: temp.path, subject: 'token_url' });
  await expect(reading).rejects.toThrow(`token_url: ${text}`);
});
