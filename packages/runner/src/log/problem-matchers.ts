import { stripVTControlCharacters } from 'node:util';
import { type Matcher, type MatcherPart, type MatcherPattern, parseMatcherFile } from './matcher-file.ts';
import { runWithin } from './time-limit.ts';
import { position, type Remark } from './workflow-commands.ts';

/** Lines with more characters are not looked at. */
const longestLine = 4096;
/** Lines that one time limit is for. */
const batchLines = 100;
/** Milliseconds that all matchers get for a batch; a fair one needs about a microsecond a line. */
const batchLimitMs = 100;
/** Times that a matcher may exceed the limit before it is removed. */
const strikes = 3;
/** Times that the matchers of a job together may exceed it before there are none. */
const jobStrikes = 30;

/**
 * The problem matchers of a job: `::add-matcher::` adds to them and they stay for the steps that follow.
 *
 * Regular expressions come from the job and may be made to run for ever. A line that is longer than 4,096 characters
 * is not looked at, a hundred lines get 100 ms, and a matcher that needs more for the third time is removed.
 */
export class ProblemMatchers {
  /** Newest first: it wins. */
  #matchers: readonly Matcher[] = [];
  readonly #strikes = new Map<Matcher, number>();
  #jobStrikes = 0;

  /** Adds the matchers of a file; those with the same owner make room. @throws {UserError} `FRR601` */
  add(json: string): void {
    if (this.#jobStrikes >= jobStrikes) return;
    const added = parseMatcherFile(json);
    const owners = new Set(added.map(({ owner }) => owner));
    this.#matchers = [...added, ...this.#matchers.filter(({ owner }) => !owners.has(owner))].slice(0, 100);
  }

  remove(owner: string): void {
    this.#matchers = this.#matchers.filter((matcher) => matcher.owner !== owner);
  }

  /** Removes the matchers whose owners are in a file. @throws {UserError} `FRR601` */
  removeFile(json: string): void {
    for (const { owner } of parseMatcherFile(json)) this.remove(owner);
  }

  get isEmpty(): boolean {
    return this.#matchers.length === 0;
  }

  get current(): readonly Matcher[] {
    return this.#matchers;
  }

  /** A matcher took too long. Returns what the reader should know, once there is something. */
  strike(matcher: Matcher): string | undefined {
    this.#jobStrikes += 1;
    const count = (this.#strikes.get(matcher) ?? 0) + 1;
    this.#strikes.set(matcher, count);
    if (this.#jobStrikes >= jobStrikes) {
      this.#matchers = [];
      return 'Problem matchers are off for the rest of the job: they took too long';
    }
    if (count < strikes) return undefined;
    this.#matchers = this.#matchers.filter((other) => other !== matcher);
    return `The problem matcher ${JSON.stringify(matcher.owner)} was removed: its regular expression took too long`;
  }
}

/** What was found in some lines. */
export interface Matches {
  /** One entry a line. */
  readonly remarks: readonly (Remark | undefined)[];
  /** What the reader should know about the matchers themselves. */
  readonly notices: readonly string[];
}

type Captured = Readonly<Partial<Record<MatcherPart, string>>>;

/** Looks for problems in the output of one stage of a step: matchers for several lines remember the lines before. */
export class MatcherRun {
  readonly #matchers: ProblemMatchers;
  /** Of each matcher what its patterns captured so far, by pattern. */
  readonly #states = new Map<Matcher, (Captured | undefined)[]>();

  constructor(matchers: ProblemMatchers) {
    this.#matchers = matchers;
  }

  match(lines: readonly string[]): Matches {
    const remarks: (Remark | undefined)[] = [];
    const notices: string[] = [];
    for (let start = 0; start < lines.length; start += batchLines) {
      this.#matchBatch(lines.slice(start, start + batchLines), remarks, notices);
    }
    return { remarks, notices };
  }

  #matchBatch(lines: readonly string[], remarks: (Remark | undefined)[], notices: string[]): void {
    // Where the work is, so that it can go on behind a matcher that was stopped.
    const at = { line: 0, matcher: 0 };
    const first = remarks.length;
    let matchers = this.#matchers.current;
    const work = (): void => {
      for (; at.line < lines.length; at.line += 1, at.matcher = 0) {
        const line = plain(lines[at.line] ?? '');
        const found = line === undefined ? undefined : this.#firstMatch(line, matchers, at);
        remarks[first + at.line] = found;
      }
    };
    while (!runWithin(batchLimitMs, work)) {
      const slow = matchers[at.matcher];
      if (slow === undefined) continue;
      this.#states.delete(slow);
      const notice = this.#matchers.strike(slow);
      if (notice !== undefined) notices.push(notice);
      // On this line it is the next one's turn; a matcher that was removed has left its place to that one.
      if (this.#matchers.current.includes(slow)) at.matcher += 1;
      matchers = this.#matchers.current;
    }
  }

  #firstMatch(line: string, matchers: readonly Matcher[], at: { matcher: number }): Remark | undefined {
    for (; at.matcher < matchers.length; at.matcher += 1) {
      const matcher = matchers[at.matcher];
      const found = matcher === undefined ? undefined : this.#matchLine(matcher, line);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** From the last pattern to the first, so that a line can end one problem and begin another. */
  #matchLine(matcher: Matcher, line: string): Remark | undefined {
    const states = this.#states.get(matcher) ?? [];
    this.#states.set(matcher, states);
    const last = matcher.patterns.length - 1;
    for (let index = last; index >= 0; index -= 1) {
      const pattern = matcher.patterns[index];
      const before: Captured | undefined = index === 0 ? {} : states[index - 1];
      const match = before === undefined || pattern === undefined ? null : pattern.regexp.exec(line);
      if (match === null || pattern === undefined) {
        if (index === last && last > 0) states[last - 1] = undefined;
        else states[index] = undefined;
        continue;
      }
      const captured = { ...before, ...capture(pattern, match) };
      if (index < last) {
        states[index] = captured;
        continue;
      }
      states.length = 0;
      if (pattern.isLoop) states[last - 1] = before;
      return remarkOf(matcher, captured);
    }
    return undefined;
  }
}

/** The line as patterns are written for it, or `undefined` where it is too long. */
function plain(line: string): string | undefined {
  if (line.length > longestLine) return undefined;
  return line.includes('\u001b') ? stripVTControlCharacters(line) : line;
}

function capture(pattern: MatcherPattern, match: RegExpExecArray): Captured {
  const captured: Partial<Record<MatcherPart, string>> = {};
  // The keys were checked when the file was read.
  for (const [part, group] of Object.entries(pattern.groups) as [MatcherPart, number][]) {
    const text = match[group];
    if (text !== undefined && text !== '') captured[part] = text;
  }
  return captured;
}

function remarkOf(matcher: Matcher, captured: Captured): Remark | undefined {
  if (captured.message === undefined) return undefined;
  const line = position(captured.line);
  const column = position(captured.column);
  const file = captured.file === undefined ? undefined : fromPath(captured.file, captured.fromPath);
  return {
    level: levelOf(captured.severity) ?? levelOf(matcher.severity) ?? 'error',
    message: captured.code === undefined ? captured.message : `${captured.code}: ${captured.message}`,
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  };
}

function levelOf(severity: string | undefined): Remark['level'] | undefined {
  const word = severity?.trim().toLowerCase();
  if (word === 'error' || word === 'warning' || word === 'notice') return word;
  return word === 'info' ? 'notice' : undefined;
}

/** `fromPath` names a project file; paths of the remark count from its folder. */
function fromPath(file: string, project: string | undefined): string {
  if (project === undefined || /^(?:[/\\]|[A-Za-z]:)/.test(file)) return file;
  const end = Math.max(project.lastIndexOf('/'), project.lastIndexOf('\\'));
  return end < 0 ? file : project.slice(0, end + 1) + file;
}
