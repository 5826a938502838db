import type { Logger } from '@forgejo-runner/core';
import type { LogLevel } from '../config/runner-config.ts';
import type { OutputStream } from '../io.ts';

/** What a process log is made of. */
export interface ProcessLogOptions {
  readonly stream: OutputStream;
  /** The quietest level that is written; asked for each entry where it may change. */
  readonly level: LogLevel | (() => LogLevel);
  /** Hides secrets in a line. */
  readonly mask: (text: string) => string;
  readonly format?: 'text' | 'json';
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const ranks: Readonly<Record<LogLevel, number>> = {
  trace: 0,
  debug: 1,
  info: 2,
  warn: 3,
  error: 4,
  fatal: 5,
  panic: 6,
};

/** The log of the runner itself, for its administrator: one line an entry, secrets hidden. */
export function openProcessLog(options: ProcessLogOptions): Logger {
  const { stream, mask, format = 'text', now = Date.now } = options;
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => {
    return (message: string, fields: object = {}): void => {
      const least = typeof options.level === 'function' ? options.level() : options.level;
      if (ranks[level] < ranks[least]) return;
      const entry = { time: new Date(now()).toISOString(), level, message, fields };
      stream.write(`${mask(format === 'json' ? jsonLine(entry) : textLine(entry))}\n`);
    };
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

interface Entry {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

function textLine({ time, level, message, fields }: Entry): string {
  const shown = Object.entries(fields).map(([name, value]) => ` ${name}=${textValue(value)}`);
  return oneLine(`${time} ${level.toUpperCase().padEnd(5)} ${message}${shown.join('')}`);
}

function textValue(value: unknown): string {
  const text = typeof value === 'string' ? value : safeJson(value);
  return /^[^\s"=]+$/.test(text) || typeof value !== 'string' ? text : JSON.stringify(text);
}

function jsonLine({ time, level, message, fields }: Entry): string {
  // What the log says of itself is not for others to change.
  return safeJson({ ...fields, time, level, message });
}

/** JSON of anything: of errors their message, of circles and functions a word. */
function safeJson(value: unknown): string {
  const above: unknown[] = [];
  const replace = function (this: unknown, _key: string, one: unknown): unknown {
    while (above.length > 0 && above.at(-1) !== this) above.pop();
    if (one instanceof Error) return one.cause === undefined ? one.message : { message: one.message, cause: one.cause };
    if (typeof one === 'bigint') return String(one);
    if (typeof one === 'function' || typeof one === 'symbol') return `[${typeof one}]`;
    if (typeof one !== 'object' || one === null) return one;
    if (above.includes(one)) return '[circle]';
    above.push(one);
    return one;
  };
  try {
    return JSON.stringify(value, replace) ?? 'undefined';
  } catch {
    // A getter or toJSON that throws: an entry without its fields is better than none.
    return '"[unreadable]"';
  }
}

/** What a stranger wrote must not look like an entry of its own, nor steer the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return character === '\n' ? '\\n' : `\\u${code.padStart(4, '0')}`;
  });
}
