const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** Reads a size in bytes. `10G`, `10GB` and `10GiB` are the same, as for `docker run`. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit = ''] = /^\s*(\d{1,15}(?:\.\d{1,6})?)\s*(b|[kmgt]?)(?:i?b)?\s*$/i.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * (units[unit.toLowerCase()] ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
