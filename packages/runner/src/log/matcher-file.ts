import { array, boolean, int, object, string, type infer as Infer } from 'zod';
import { type Problem, quoted, UserError } from '../user-error.ts';

/** A problem matcher, ready to use. */
export interface Matcher {
  readonly owner: string;
  /** Where no group captures it. */
  readonly severity: string;
  /** For consecutive lines. */
  readonly patterns: readonly MatcherPattern[];
}

/** The pattern of one line, and the numbers of the groups that hold the parts of the remark. */
export interface MatcherPattern {
  readonly regexp: RegExp;
  readonly groups: Readonly<Partial<Record<MatcherPart, number>>>;
  /** The last pattern goes on matching lines, each a remark of its own. */
  readonly isLoop: boolean;
}

const parts = ['file', 'fromPath', 'line', 'column', 'severity', 'code', 'message'] as const;

/** What a group of a pattern can capture. */
export type MatcherPart = (typeof parts)[number];

const group = int().min(0).max(100).optional();
const pattern = object({
  regexp: string().min(1).max(4096),
  loop: boolean().optional(),
  file: group,
  fromPath: group,
  line: group,
  column: group,
  severity: group,
  code: group,
  message: group,
});
const schema = object({
  problemMatcher: array(
    object({
      owner: string().min(1).max(200),
      severity: string().max(20).optional(),
      pattern: array(pattern).min(1).max(10),
    }),
  )
    .min(1)
    .max(100),
});

/**
 * Reads a file of problem matchers in GitHub's format.
 *
 * Source: `docs/problem-matchers.md` of actions/toolkit.
 *
 * @throws {UserError} `FRR601` with everything that is wrong.
 */
export function parseMatcherFile(json: string): readonly Matcher[] {
  const read = schema.safeParse(parseJson(json));
  if (!read.success) {
    throw wrong(read.error.issues.map(({ path, message }) => ({ message: `${path.join('.')}: ${message}` })));
  }
  const problems: Problem[] = [];
  const matchers = read.data.problemMatcher.map((matcher): Matcher => {
    problems.push(...problemsOf(matcher));
    return {
      owner: matcher.owner,
      severity: matcher.severity ?? 'error',
      patterns: matcher.pattern.map((entry) => patternOf(entry, matcher.owner, problems)),
    };
  });
  if (problems.length > 0) throw wrong(problems);
  return matchers;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json.replace(/^\uFEFF/, ''));
  } catch {
    throw wrong([{ message: 'expected JSON' }]);
  }
}

function* problemsOf(matcher: Infer<typeof schema>['problemMatcher'][number]): Generator<Problem> {
  const where = `problem matcher ${quoted(matcher.owner)}`;
  const last = matcher.pattern.length - 1;
  for (const [index, entry] of matcher.pattern.entries()) {
    if (entry.loop === true && (index < last || last === 0)) {
      yield {
        message: `${where}: expected "loop" only in the last of several patterns, found it in pattern ${index + 1}`,
      };
    }
  }
  if (matcher.pattern[last]?.loop === true && matcher.pattern[last].message === undefined) {
    yield { message: `${where}: expected "message" in the pattern that loops, found none` };
  }
  for (const part of parts) {
    const count = matcher.pattern.filter((entry) => entry[part] !== undefined).length;
    if (count > 1) yield { message: `${where}: expected ${quoted(part)} in one pattern, found it in ${count}` };
    if (part === 'message' && count === 0) yield { message: `${where}: expected "message" in a pattern, found none` };
  }
}

function patternOf(entry: Infer<typeof pattern>, owner: string, problems: Problem[]): MatcherPattern {
  const groups: Partial<Record<MatcherPart, number>> = {};
  for (const part of parts) {
    const number = entry[part];
    if (number !== undefined) groups[part] = number;
  }
  return { regexp: regexpOf(entry.regexp, owner, problems), groups, isLoop: entry.loop === true };
}

function regexpOf(source: string, owner: string, problems: Problem[]): RegExp {
  try {
    return new RegExp(source);
  } catch {
    problems.push({
      message: `problem matcher ${quoted(owner)}: expected a regular expression, found ${quoted(source)}`,
    });
    return /$^/;
  }
}

function wrong(problems: readonly Problem[]): UserError {
  return new UserError('FRR601', { problems, next: 'see docs/problem-matchers.md of actions/toolkit for the format' });
}
