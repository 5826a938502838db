import { quoted, UserError } from '../user-error.ts';

const secondMs = 1000;
const times: Readonly<Record<string, number>> = {
  ms: 1,
  s: secondMs,
  m: 60 * secondMs,
  h: 3600 * secondMs,
  d: 86_400 * secondMs,
  w: 7 * 86_400 * secondMs,
};
const sizes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Reads a time such as `3d`, `12h`, `250ms` or `0`, in milliseconds. @throws UserError `FRB209` */
export function parseTime(text: string, what: string): number {
  return parse(text, what, times, 'a time such as 3d, 12h, 250ms or 0');
}

/** Reads a size such as `5MB`, `300kB`, `2GiB` or `0`, in bytes. @throws UserError `FRB209` */
export function parseSize(text: string, what: string): number {
  return parse(text, what, sizes, 'a size such as 300kB, 5MB or 2GiB');
}

function parse(text: string, what: string, units: Readonly<Record<string, number>>, expected: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  const value = unit === '' && Number(number) === 0 && number !== '' ? 0 : Number(number) * (factor ?? Number.NaN);
  if (number !== '' && Number.isFinite(value)) return value;
  throw new UserError('FRB209', `${what} ${quoted(text)}: expected ${expected}`);
}

/** A size as people read it. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1e7 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
