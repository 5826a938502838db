import { stripVTControlCharacters } from 'node:util';

/**
 * Parts of a text that act on a terminal: strings for the terminal itself (titles, clipboard, device control), control
 * sequences, other escapes, control characters. A string without an end reaches to the end of the text.
 */
const controls =
  /(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^]*?(?:\u0007|\u001b\\|\u009c|$)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** A colour or a style: the only sequence that does no harm. */
// oxlint-disable-next-line no-control-regex
const style = /^\u001b\[[\d;:]*m$/;

/**
 * A row of a log as it may stand on a terminal: what moves the cursor, changes the title or the like is taken out, and
 * colours stay if `colors` is set. Of a line that was written over with `\r` the last state is left.
 */
export function terminalText(row: string, options: { readonly colors: boolean }): string {
  const visible = lastState(row);
  if (!needsCare.test(visible)) return visible;
  let hasStyle = false;
  const text = visible.replaceAll(controls, (control) => {
    if (!options.colors || !style.test(control)) return '';
    hasStyle = true;
    return control;
  });
  return hasStyle ? `${text}\u001b[0m` : text;
}

const needsCare = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

function lastState(row: string): string {
  if (!row.includes('\r')) return row;
  return row.split('\r').findLast((state) => state !== '') ?? '';
}

/** A name in one line, without anything that acts on a terminal. */
export function nameText(name: string): string {
  return terminalText(name.replaceAll(/[\r\n\t]+/g, ' '), { colors: false });
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) {
    if (wide.test(character)) width += 2;
    else if (!invisible.test(character)) width += 1;
  }
  return width;
}

const wide =
  /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303e\uff01-\uff60]/u;
const invisible = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** A text filled with blanks to a width. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** A text of at most `width` columns, cut with `…`. */
export function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  let used = 1;
  for (const character of text) {
    used += displayWidth(character);
    if (used > width) break;
    cut += character;
  }
  return `${cut}…`;
}

/** A duration for people: `12 ms`, `1.2 s`, `2 min 03 s`, `1 h 02 min`. */
export function durationText(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < 1000) return `${ms} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
