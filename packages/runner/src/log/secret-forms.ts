import { Buffer } from 'node:buffer';

/** Values and lines shorter than this are hidden as they are written only: their encodings would match everywhere. */
const usefulLength = 4;

/** `base64` breaks its lines at 76 characters, `openssl` and PEM files at 64. */
const base64Widths = [76, 64];
/** A piece of Base64 that is known to be of a secret: twelve of its bytes. */
const pieceLength = 16;

/**
 * Every text that shows `secret` to a reader, so every text that must not stand in a log:
 *
 * - the value as it is written, without blank space around it;
 * - its Base64, standard and URL-safe, wherever it begins in what was encoded, also wrapped at 64 and 76 columns; where a
 *   line breaks within a secret that has others around it, fewer than 16 characters may stay on either side;
 * - percent-encoded as a URL component, a form field or a whole URL; as a JSON, shell, PowerShell, C or HTML string;
 *   as the data of a workflow command; with `\n` for a newline;
 * - of a value with several lines each line with four characters or more and a letter or digit among them. Only if
 *   it has no such line, its short ones.
 *
 * A value with fewer than four characters is hidden as it is written and in no other form. One that is empty, blank
 * or only asterisks is not hidden at all.
 *
 * In Base64 a character at either end may stand for bits of the secret and of its neighbour. Such a character stays,
 * and shows at most four bits; but not at the end of what was encoded, with a newline or without.
 */
export function secretForms(secret: string): readonly string[] {
  const value = withoutMargins(secret);
  const forms = new Set(plainForms(secret));
  if (value.length < usefulLength || forms.size === 0) return [...forms];
  for (const form of escapedForms(value)) forms.add(form);
  for (const line of usefulLines(value)) {
    if (line.length < usefulLength) continue;
    for (const form of escapedForms(line)) forms.add(form);
  }
  for (const form of base64Forms(value)) forms.add(form);
  return [...forms];
}

/** The value as it is written, and its lines: {@link secretForms} without encodings. */
export function plainForms(secret: string): readonly string[] {
  const value = withoutMargins(secret);
  if (/^[\s*]*$/.test(value)) return [];
  return [...new Set([value, ...usefulLines(value)])];
}

function withoutMargins(secret: string): string {
  const value = secret.trim();
  return value.length >= usefulLength ? value : secret.replaceAll(/^[\r\n]+|[\r\n]+$/g, '');
}

function usefulLines(value: string): readonly string[] {
  const lines = value.split(/[\r\n]+/).map((line) => line.trim());
  if (lines.length < 2) return [];
  const useful = lines.filter((line) => line.length >= usefulLength && /[\p{L}\p{N}]/u.test(line));
  return useful.length > 0 ? useful : lines.filter((line) => !/^[\s*]*$/.test(line));
}

function* escapedForms(value: string): Generator<string> {
  yield* jsonForms(value);
  yield* shellForms(value);
  yield* urlForms(value);
  for (const quotes of htmlQuotes) {
    const entities = { ...htmlEntities, ...quotes };
    yield value.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
  }
  yield value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  yield value.replaceAll(/\r?\n/g, String.raw`\n`);
}

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};
/** How encoders write quotes: PHP and JavaScript, Python, XML, Go, and not at all, as between tags. */
const htmlQuotes: readonly Readonly<Record<string, string>>[] = [
  { '"': '&quot;', "'": '&#39;' },
  { '"': '&quot;', "'": '&#x27;' },
  { '"': '&quot;', "'": '&apos;' },
  { '"': '&#34;', "'": '&#39;' },
  {},
];

function* jsonForms(value: string): Generator<string> {
  const json = JSON.stringify(value).slice(1, -1);
  const ascii = json.replaceAll(/[\u007f-\uffff]/g, unicodeEscape);
  yield json;
  yield ascii;
  yield json.replaceAll('/', String.raw`\/`);
  yield ascii.replaceAll('/', String.raw`\/`);
  yield json.replaceAll(/[<>&\u2028\u2029]/g, unicodeEscape); // Go's encoder
  yield JSON.stringify(json).slice(1, -1); // JSON within JSON
  yield JSON.stringify(ascii).slice(1, -1);
}

function unicodeEscape(character: string): string {
  return String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function* shellForms(value: string): Generator<string> {
  yield value.replaceAll("'", String.raw`'\''`);
  yield value.replaceAll("'", `'"'"'`); // Python's shlex
  yield value.replaceAll("'", "''"); // PowerShell
  yield value.replaceAll(/[\\"$`]/g, String.raw`\$&`); // within double quotes
  yield value.replaceAll(/[^\p{L}\p{N}@%+=:,./_-]/gu, String.raw`\$&`); // printf %q
  yield value.replaceAll(/[\\'\n\r\t]/g, (character) => cEscapes[character] ?? character); // $'…'
}

const cEscapes: Readonly<Record<string, string>> = {
  '\\': String.raw`\\`,
  "'": String.raw`\'`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
};

function* urlForms(value: string): Generator<string> {
  const text = value.toWellFormed();
  const component = encodeURIComponent(text);
  const form = new URLSearchParams({ '': text }).toString().slice(1);
  const strict = component.replaceAll(/[!'()*]/g, percentEscape);
  const forms = [
    component,
    form,
    strict,
    strict.replaceAll('%2F', '/'),
    strict.replaceAll('~', '%7E'),
    encodeURI(text),
  ];
  for (const encoded of forms) {
    yield encoded;
    yield encoded.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
  }
}

function percentEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function* base64Forms(value: string): Generator<string> {
  const bytes = Buffer.from(value, 'utf8');
  const forms = [...wrapped(bytes.toString('base64'))];
  for (const before of [0, 1, 2]) {
    forms.push(base64Within(bytes, before));
    yield* base64Pieces(bytes, before);
    // The last character is known where the secret ends what was encoded. Of a long one it would show next to nothing.
    if (bytes.length <= 256)
      for (const end of ['', '\n']) forms.push(...base64Ending(Buffer.from(value + end), before));
  }
  for (const form of forms) {
    if (form.length < usefulLength) continue;
    yield form;
    yield form.replaceAll('+', '-').replaceAll('/', '_');
  }
}

/** The characters that are the same whatever stands before (`before` bytes, modulo 3) and after the secret. */
function base64Within(bytes: Buffer, before: number): string {
  const encoded = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replaceAll('=', '');
  return encoded.slice(sharedBefore(before), Math.floor(((before + bytes.length) * 8) / 6));
}

/**
 * Overlapping pieces of the encoding, for lines that break somewhere in it: wherever a line begins or ends, groups of four
 * characters stay together. Of long values every second one is enough: whatever is longer than a piece and a half shows it.
 */
function* base64Pieces(bytes: Buffer, before: number): Generator<string> {
  const encoded = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replaceAll('=', '');
  const end = Math.floor(((before + bytes.length) * 8) / 6);
  const step = bytes.length > 256 ? 8 : 4;
  for (let start = before === 0 ? 0 : 4; start + pieceLength <= end; start += step) {
    yield encoded.slice(start, start + pieceLength);
  }
}

/** The characters up to the end, without padding and with it. */
function base64Ending(bytes: Buffer, before: number): readonly string[] {
  const encoded = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .slice(sharedBefore(before));
  return [encoded.replaceAll('=', ''), encoded];
}

/** Characters at the beginning with bits of what stands before. */
function sharedBefore(bytes: number): number {
  return Math.ceil((bytes * 8) / 6);
}

/** The rows of a wrapped encoding. The last one is left out where it is too short to be told from other text. */
function wrapped(encoded: string): readonly string[] {
  const rows: string[] = [];
  for (const width of base64Widths) {
    if (encoded.length <= width) continue;
    for (let start = 0; start < encoded.length; start += width) {
      const row = encoded.slice(start, start + width);
      if (row.length >= 8) rows.push(row, row.replaceAll('=', ''));
    }
  }
  return rows;
}
