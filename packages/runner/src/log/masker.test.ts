import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Masker } from './masker.ts';
import { secretForms } from './secret-forms.ts';

function masker(...secrets: readonly string[]): Masker {
  const made = new Masker();
  for (const secret of secrets) made.add(secret);
  return made;
}

function streamed(made: Masker, pieces: readonly string[]): string {
  const stream = made.stream();
  return pieces.map((piece) => stream.push(piece)).join('') + stream.end();
}

describe('Masker', () => {
  it.each([
    ['nothing to hide', [], 'plain text', 'plain text'],
    ['a secret', ['hunter2'], 'pass=hunter2;', 'pass=***;'],
    ['a secret alone', ['hunter2'], 'hunter2', '***'],
    ['every occurrence', ['hunter2'], 'hunter2 hunter2', '*** ***'],
    ['occurrences that touch as one', ['hunter2'], 'hunter2hunter2', '***'],
    ['an overlap as one', ['abcdef', 'defghi'], 'xabcdefghix', 'x***x'],
    ['an overlap with itself', ['abab'], 'xabababx', 'x***x'],
    ['a secret within a longer one', ['token', 'my-token-1'], 'my-token-1 token', '*** ***'],
    ['a short secret behind a failed long one', ['abcdefgh', 'cdex'], 'abcdex', 'ab***'],
    ['letters as they are', ['hunter2'], 'HUNTER2', 'HUNTER2'],
    ['short values as they are', ['42'], 'a42b 4 2', 'a***b 4 2'],
    ['no encoding of short values', ['abc'], `${Buffer.from('abc').toString('base64')} abc`, 'YWJj ***'],
    ['no empty value', [''], 'text', 'text'],
    ['no blank value', ['  ', '\n'], 'a  b\nc', 'a  b\nc'],
    ['no value of asterisks', ['*'], '2*3', '2*3'],
    ['a value without the newline around it', ['hunter2\n'], 'a hunter2 b', 'a *** b'],
    ['characters beyond the basic plane', ['pa🔑ss'], 'x pa🔑ss 🔑', 'x *** 🔑'],
    ['every line of a value', ['first line\nsecond line'], 'first line\n--\n second line', '***\n--\n ***'],
    ['no short line beside a useful one', ['{\n"key-1"\n}'], '{ "key-1" }', '{ *** }'],
    ['no line without letters or digits', ['-----\nsecret'], '----- secret', '----- ***'],
    ['short lines where there are no others', ['ab\ncd'], 'ab\ncd', '***'],
    ['short lines alone too', ['ab\ncd'], 'x ab\ny cd', 'x ***\ny ***'],
  ])('hides %s', (_title, secrets, text, expected) => {
    expect(masker(...secrets).mask(text)).toBe(expected);
    expect(streamed(masker(...secrets), text.split(''))).toBe(expected);
  });

  const value = `p@ss "w'o/rd" $x & <ü>?~`;
  it.each([
    ['Base64', Buffer.from(value).toString('base64')],
    ['Base64 without padding', Buffer.from(value).toString('base64').replace(/=+$/, '')],
    ['Base64 for URLs', Buffer.from(value).toString('base64url')],
    ['a URL component', encodeURIComponent(value)],
    ['a form field', new URLSearchParams({ a: value }).toString().slice(2)],
    ['lower-case percent encoding', encodeURIComponent(value).replace(/%../g, (hex) => hex.toLowerCase())],
    ['JSON', JSON.stringify(value)],
    ['JSON in ASCII', JSON.stringify(value).replace('ü', String.raw`\u00fc`)],
    ['JSON in JSON', JSON.stringify(JSON.stringify(value))],
    ['JSON in ASCII in JSON', JSON.stringify(JSON.stringify(value).replace('ü', String.raw`\u00fc`))],
    ['single quotes', `'${value.replaceAll("'", String.raw`'\''`)}'`],
    ['double quotes', `"${value.replaceAll(/[\\"$`]/g, String.raw`\$&`)}"`],
    ['PowerShell', `'${value.replaceAll("'", "''")}'`],
    ['HTML', 'p@ss &quot;w&#39;o/rd&quot; $x &amp; &lt;ü&gt;?~'],
    ['HTML as Python writes it', 'p@ss &quot;w&#x27;o/rd&quot; $x &amp; &lt;ü&gt;?~'],
    ['HTML as Go writes it', 'p@ss &#34;w&#39;o/rd&#34; $x &amp; &lt;ü&gt;?~'],
    ['XML', 'p@ss &quot;w&apos;o/rd&quot; $x &amp; &lt;ü&gt;?~'],
    ['text between tags', `p@ss "w'o/rd" $x &amp; &lt;ü&gt;?~`],
  ])('hides %s', (_title, encoded) => {
    const shown = masker(value).mask(`<${encoded}>`);
    expect(shown).toMatch(/^<[\\"']{0,3}\*\*\*[\\"']{0,3}>$/);
  });

  it('hides Base64 wherever the secret begins, but for the characters that it shares', () => {
    for (const before of ['', 'a', 'ab', 'abc', 'user:']) {
      const encoded = Buffer.from(`${before}hunter2-hunter3${before}\n`).toString('base64');
      const shown = masker('hunter2-hunter3').mask(encoded);
      expect(shown).toContain('***');
      const left = shown.replace('***', '').length;
      expect(left).toBeLessThanOrEqual(Math.ceil((before.length * 8) / 6) * 2 + 7);
    }
  });

  it.each(['hunter2-3', 'hunter2-34', 'hunter2-345'])('hides Base64 of %s to its end', (secret) => {
    for (const before of ['', 'a', 'ab', 'user:']) {
      for (const end of ['', '\n']) {
        const encoded = Buffer.from(before + secret + end).toString('base64');
        expect(masker(secret).mask(`<${encoded}>`)).toMatch(/\*\*\*>$/);
      }
    }
    expect(masker(secret).mask(Buffer.from(`${secret}\n`).toString('base64'))).toBe('***');
  });

  it('hides the encodings of thirty keys of three kilobytes', () => {
    const made = new Masker();
    const keys = Array.from({ length: 30 }, (_, key) =>
      Array.from({ length: 48 }, (_, row) => `${key}+${row}/`.repeat(11).slice(0, 64)).join('\n'),
    );
    for (const key of keys) made.add(key);
    for (const key of keys) expect(made.mask(encodeURIComponent(key))).toBe('***');
  });

  it('hides the rows of a wrapped Base64', () => {
    const secret = 'k'.repeat(40) + 'j'.repeat(40) + 'i'.repeat(20);
    const rows =
      Buffer.from(secret)
        .toString('base64')
        .match(/.{1,76}/g) ?? [];
    expect(rows.map((row) => masker(secret).mask(row))).toEqual(['***', '***']);
  });

  it('leaves little of a secret where the Base64 around it is wrapped', () => {
    for (const length of [40, 100, 300, 1000]) {
      const secret = Array.from({ length }, (_, index) => String.fromCharCode(33 + ((index * index + 7 * index) % 90)));
      for (const before of ['u:', 'user:', 'a longer text: ', 'x'.repeat(60)]) {
        for (const width of [76, 64]) {
          const encoded = Buffer.from(`${before}${secret.join('')}`).toString('base64');
          const rows = encoded.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
          const made = masker(secret.join(''));
          const start = Math.ceil((before.length * 8) / 6);
          const shown = rows.map((row, index) => made.mask(row).slice(index === 0 ? start : 0));
          for (const row of shown.slice(Math.ceil(start / width)))
            for (const rest of row.split('***')) expect(rest.length).toBeLessThan(length > 256 ? 20 : 16);
        }
      }
    }
  });

  it('hides a value with newlines written with backslashes', () => {
    expect(masker('one-a\ntwo-b').mask(String.raw`x one-a\ntwo-b y`)).toBe('x *** y');
  });

  it('hides from the moment on that a mask is added', () => {
    const made = masker('first-secret');
    expect(made.mask('first-secret late-secret')).toBe('*** late-secret');
    made.add('late-secret');
    expect(made.mask('first-secret late-secret')).toBe('*** ***');
  });

  it('hides a secret whose mask came while its beginning was kept back', () => {
    const made = masker('abc-one');
    const stream = made.stream();
    expect(stream.push('x abc')).toBe('x ');
    made.add('bc-two');
    expect(stream.push('-two y') + stream.end()).toBe('a*** y');
  });

  it('keeps back only what may be a secret', () => {
    const stream = masker('hunter2').stream();
    expect(stream.push('pass=hun')).toBe('pass=');
    expect(stream.push('gry ')).toBe('hungry ');
    expect(stream.push('hunter')).toBe('');
    expect(stream.end()).toBe('hunter');
  });

  it('stays linear with texts and secrets of one letter', () => {
    const made = masker('a'.repeat(5000), `${'a'.repeat(4000)}b`, `b${'a'.repeat(3000)}`);
    expect(made.mask('a'.repeat(200_000))).toBe('***');
    expect(made.mask(`${'a'.repeat(2999)}c`)).toBe(`${'a'.repeat(2999)}c`);
  });

  it('hides ten thousand masks added one by one', () => {
    const made = new Masker();
    for (let round = 0; round < 100; round += 1) {
      for (let index = round; index < 10_000; index += 100) made.add(`s-${index}-${index * 7919}`);
      expect(made.mask(`say s-${round}-${round * 7919}!`)).toBe('say ***!');
    }
    expect(made.mask('s-77-609763 s-9999-79182081')).toBe('*** ***');
  });

  it('refuses more than it can keep', () => {
    const made = new Masker();
    const line = 'x'.repeat(1_000_000);
    for (const end of ['a', 'b', 'c', 'd', 'f', 'g']) made.add(line + end);
    expect(() => made.add(`${line}e`)).toThrow(/at most 6291456 characters/);
  });

  // No asterisk: a secret that contains the replacement itself cannot be told from it.
  const secret = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '/', '\n', ' ', '"', 'ü'), minLength: 1, maxLength: 9 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('*', '')),
  );

  it('shows no form of a secret, whatever the pieces', () => {
    const cases = fc.array(secret, { minLength: 1, maxLength: 4 }).chain((secrets) => {
      const forms = secrets.flatMap(secretForms);
      const part = fc.oneof(
        fc.constantFrom('', 'a', 'b', ...secrets, ...forms),
        fc.string({ unit: fc.constantFrom('a', 'b', '/', '%', '\\', 'Y', '=') }),
      );
      return fc.record({ secrets: fc.constant(secrets), forms: fc.constant(forms), pieces: fc.array(part) });
    });
    fc.assert(
      fc.property(cases, fc.array(fc.nat({ max: 7 })), ({ secrets, forms, pieces }, cuts) => {
        const made = masker(...secrets);
        const text = pieces.join('');
        const whole = made.mask(text);
        const shown = whole.split('***');
        for (const form of forms) for (const rest of shown) expect(rest).not.toContain(form);
        const cut: string[] = [];
        let at = 0;
        for (const length of cuts) {
          cut.push(text.slice(at, at + length));
          at += length;
        }
        cut.push(text.slice(at));
        expect(streamed(made, cut)).toBe(whole);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves alone what is no secret', () => {
    fc.assert(
      fc.property(fc.array(secret, { maxLength: 4 }), fc.string(), (secrets, text) => {
        const forms = secrets.flatMap(secretForms);
        fc.pre(!forms.some((form) => text.includes(form)));
        expect(masker(...secrets).mask(text)).toBe(text);
      }),
    );
  });
});
