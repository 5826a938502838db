/** One of the five fields of a cron line. */
interface CronField {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Words for the numbers from `from` on. */
  readonly words?: readonly string[];
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');
const fields: readonly CronField[] = [
  { name: 'a minute', from: 0, to: 59 },
  { name: 'an hour', from: 0, to: 23 },
  { name: 'a day of the month', from: 1, to: 31 },
  { name: 'a month', from: 1, to: 12, words: months },
  { name: 'a day of the week', from: 0, to: 7, words: days },
];

/** What Forgejo takes beside five fields: a time zone before them, or one word in their place. */
const zonePattern = /^(?:CRON_)?TZ=\S+\s+/;
const wordPattern = /^@(?:yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)$/;

/** What is wrong with the time of a schedule, as "expected …, found …", or undefined. */
export function cronProblem(cron: string): string | undefined {
  const line = cron.trim().replace(zonePattern, '');
  if (wordPattern.test(line)) return undefined;
  const parts = line.split(/\s+/);
  if (parts.length !== fields.length) {
    return `expected five fields for "cron" (minute hour day month weekday), found ${JSON.stringify(cron)}`;
  }
  for (const [index, field] of fields.entries()) {
    const wrong = (parts[index] ?? '').split(',').find((part) => !isPart(part, field));
    if (wrong === undefined) continue;
    const { name, from, to } = field;
    return `expected ${name} from ${from} to ${to}, a range, * or a step for "cron", found ${JSON.stringify(wrong)}`;
  }
  return undefined;
}

/** Such as `5`, `*`, `1-5`, `mon-fri`, and `/2` behind each. */
function isPart(part: string, field: CronField): boolean {
  const [range = '', step, ...more] = part.split('/');
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === '*' || range === '?') return true;
  const [first, last, ...others] = range.split('-').map((text) => numberOf(text, field));
  if (others.length > 0 || first === undefined || Number.isNaN(first)) return false;
  return last === undefined || last >= first;
}

function numberOf(text: string, { from, to, words = [] }: CronField): number {
  const word = words.indexOf(text.toLowerCase());
  if (word >= 0) return word + from;
  const number = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return number >= from && number <= to ? number : Number.NaN;
}
