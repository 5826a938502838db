import { expect, it } from 'vitest';
import { parseYaml } from '../workflow/yaml-source.ts';
import { findIdTokenWish, idTokenHint } from './id-token-hint.ts';

it.each([
  ['enable-openid-connect: true', '', 'enable-openid-connect'],
  ['', 'enable-openid-connect: true', 'enable-openid-connect'],
  ['permissions: { id-token: write }', 'enable-openid-connect: "true"', 'enable-openid-connect'],
  ['permissions: { id-token: write }', '', 'permissions'],
  ['', 'permissions: { contents: read, id-token: write }', 'permissions'],
  ['permissions: { id-token: read }', 'enable-openid-connect: false', undefined],
  ['permissions: write-all', '', undefined],
  ['enable-openid-connect: [true]', 'permissions: [id-token]', undefined],
])('reads how a workflow asks for identity tokens: %j, %j', (workflow, job, wish) => {
  const text = `${workflow}\njobs:\n  one:\n    runs-on: x\n    ${job}\n`;
  expect(findIdTokenWish(parseYaml(text, 'w.yml'))).toBe(wish);
});

it('says why there are none, only where there are none', () => {
  expect(idTokenHint(undefined, {})).toBeUndefined();
  expect(idTokenHint('permissions', { idTokenRequest: { url: 'u', token: 't' } })).toBeUndefined();
  expect(idTokenHint('permissions', {})).toContain('enable-openid-connect: true asks for them');
  expect(idTokenHint('enable-openid-connect', { serverVersion: '11.0.3' })).toMatch(/from Forgejo 15 on.*11\.0\.3$/);
  expect(idTokenHint('enable-openid-connect', {})).not.toContain('undefined');
});
