import { expect, it } from 'vitest';
import { findInText } from './hazards.ts';

it.each([
  ['fs.readFileSync(path.join(__dirname, "proto", "a.proto"))', 'proto/a.proto'],
  ["readFile(__dirname + '/data.bin')", 'data.bin'],
  ['const p = resolve(import.meta.dirname, "templates");', 'templates'],
  ["new URL('./worker.js', import.meta.url)", './worker.js'],
  ['const dir = `${__dirname}/../../proto`;', undefined],
  ["const addon = require('bindings')('fast');", undefined],
  ['load(\n  path.resolve(\n    __dirname, "x.proto"))', 'x.proto'],
])('finds %s', (text, target) => {
  expect(findInText(`'use strict';\n${text}\n`)).toMatchObject({ target });
});

it.each([
  '// path.join(__dirname, "x")',
  ' * see path.join(__dirname, "x")',
  'typeof __dirname === "undefined"',
  'const __dirname = dirname(fileURLToPath(import.meta.url));',
  'if (import.meta.main) run();',
  'createRequire(import.meta.url)',
  'const nothing = 1;',
])('has nothing against %s', (text) => {
  expect(findInText(text)).toBeUndefined();
});
