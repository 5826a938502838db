const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds of a duration as Go writes it: `3h`, `1m30s`, `1.5h`, `100ms`, `0`. Undefined for anything else, for a
 * negative one and for one beyond Go's limit of about 292 years.
 */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  const start = text.startsWith('+') ? 1 : 0;
  if (start === text.length) return undefined;
  let ms = 0;
  for (part.lastIndex = start; part.lastIndex < text.length; ) {
    const [, amount, unit] = part.exec(text) ?? [];
    if (amount === undefined || unit === undefined) return undefined;
    ms += Number(amount) * (unitMs[unit] ?? Number.NaN);
  }
  return ms * 1e6 < 2 ** 63 ? Math.round(ms) : undefined;
}

/** A duration in the form that {@link parseDuration} reads, with the largest units that fit. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const parts: string[] = [];
  let rest = ms;
  for (const unit of ['h', 'm', 's', 'ms']) {
    const size = unitMs[unit] ?? 1;
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.join('');
}
