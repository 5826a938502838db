import { isBackendError } from '@forgejo-runner/core';
import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressText, parseAddress } from './address.ts';

describe('an address', () => {
  it.each([
    ['unix:///run/plugin.sock', { kind: 'unix', path: '/run/plugin.sock' }],
    ['unix:/run/plugin.sock', { kind: 'unix', path: '/run/plugin.sock' }],
    ['unix:///run/größe 名前/p.sock', { kind: 'unix', path: '/run/größe 名前/p.sock' }],
    ['plugin.example:9000', { kind: 'tcp', host: 'plugin.example', port: 9000 }],
    ['dns:///plugin.example:9000', { kind: 'tcp', host: 'plugin.example', port: 9000 }],
    ['tcp://127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1', port: 0 }],
    ['[::1]:9000', { kind: 'tcp', host: '::1', port: 9000 }],
  ])('is read from %s', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  it.each([
    '',
    'unix://relative',
    'unix:',
    'plugin',
    'plugin:',
    ':9000',
    'plugin:70000',
    '::1:9000',
    '[plugin]:1',
    'http://x:1',
    'a/b:1',
    `unix:///${'x'.repeat(107)}`,
  ])('is not read from %j, which is quoted', (text) => {
    expect(() => parseAddress(text)).toThrow(JSON.stringify(text.slice(0, 200)));
  });

  it('is refused as a configuration, whatever it is, or means the same once it is written', () => {
    assert(
      property(string({ unit: 'grapheme' }), (text) => {
        expect(outcomeOf(text)).toMatch(/^(?:refused|the same)$/);
      }),
    );
  });
});

function outcomeOf(text: string): string {
  try {
    const address = parseAddress(text);
    return addressText(parseAddress(addressText(address))) === addressText(address) ? 'the same' : 'another one';
  } catch (error) {
    return isBackendError(error) && error.code === 'config' ? 'refused' : String(error);
  }
}
