import { expect, it } from 'vitest';
import { stableName, stableNames } from './stable-names.ts';

it.each([
  ['../../trees/abc/node_modules/zod/index.cjs', 'zod/index.cjs'],
  ['../../../home/me/app/node_modules/a/node_modules/@b/c/x.js', '@b/c/x.js'],
  ['../../../home/me/my-backend/src/index.ts', 'src/index.ts'],
  ['../../../home/me/my-backend/index.js', 'index.js'],
  ['native-addon:ssh2/sshcrypto.node', 'sshcrypto.node'],
])('shortens %s', (input, name) => {
  expect(stableName(input)).toBe(name);
});

it('renames modules and nothing else', () => {
  const inputs = ['../../home/me/node_modules/a/x.js'];
  const code =
    'var r=c({"../../home/me/node_modules/a/x.js"(exports){}});say("../../home/me/node_modules/a/x.js");f("other"(1))';
  expect(stableNames(inputs)(code)).toBe(
    'var r=c({"a/x.js"(exports){}});say("../../home/me/node_modules/a/x.js");f("other"(1))',
  );
});
