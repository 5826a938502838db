import { stripVTControlCharacters } from 'node:util';
import type { Capabilities } from '@forgejo-runner/core';
import type { CheckId, Lane } from './options.ts';

/** How one check went. */
export interface CheckResult {
  readonly id: CheckId;
  readonly title: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** What was found instead, or why it was skipped. Absent where it passed. */
  readonly reason?: string;
  readonly ms: number;
  /** Figures that came up on the way, such as `MB/s`. */
  readonly measured?: Readonly<Record<string, number>>;
}

/** What the suite makes of a backend. Written as JSON, it is what others may rely on. */
export interface Verdict {
  /** Version of the suite. A new check moves the minor version, another meaning of an old one the major. */
  readonly suite: string;
  /** Version of the contract. */
  readonly api: string;
  readonly backend: string;
  /** The label that was checked, in its one spelling; absent where it could not be resolved. */
  readonly label?: string;
  readonly capabilities?: Capabilities;
  readonly lane: Lane;
  /** Begin of the run, in ISO 8601. */
  readonly date: string;
  readonly ms: number;
  readonly platform: string;
  readonly isPassed: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly checks: readonly CheckResult[];
}

/** Version of the suite. */
export const suiteVersion = '1.1.0';

const signs = { passed: '✔', failed: '✖', skipped: '–' } as const;

/** One check as a line for people. */
export function checkLine({ id, title, status, reason, ms, measured }: CheckResult): string {
  const figures = Object.entries(measured ?? {}).map(([name, value]) => `${Math.round(value * 10) / 10} ${name}`);
  const after = figures.length === 0 ? '' : `, ${figures.join(', ')}`;
  const first = `${signs[status]} ${id} ${title} (${ms} ms${after})`;
  if (reason === undefined) return first;
  // What a backend says may come from what ran in it.
  const shown = stripVTControlCharacters(reason).replaceAll('\n', '\n      ');
  return `${first}\n      ${shown}`;
}

/** The verdict in words: every check that failed or was skipped with its reason, and the counts. */
export function verdictText(verdict: Verdict): string {
  const { backend, label, suite, lane, ms, passed, failed, skipped } = verdict;
  const told = verdict.checks.filter(({ status }) => status !== 'passed').map(checkLine);
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  const what = `backend ${backend}${label === undefined ? '' : `, label ${label}`}`;
  return [...told, `${what}: suite ${suite}, lane ${lane}: ${counts} in ${(ms / 1000).toFixed(1)} s`].join('\n');
}

/** The verdict as a table for a README. */
export function verdictTable({ checks }: Verdict): string {
  const rows = checks.map(({ id, title, status, reason }) => {
    return `| ${id} | ${cell(title)} | ${status}${reason === undefined ? '' : `: ${cell(reason)}`} |`;
  });
  return ['| id | check | result |', '|---|---|---|', ...rows].join('\n');
}

function cell(text: string): string {
  return stripVTControlCharacters(text).replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').slice(0, 300);
}
