import { UserError } from '../user-error.ts';
import { mergeSpans, PatternAutomaton, type Spans } from './pattern-automaton.ts';
import { plainForms, secretForms } from './secret-forms.ts';

/** What stands in place of a secret. */
export const hidden = '***';

/** Characters of all forms up to which a value's encodings are hidden too; at most some 100 MB of tables. */
const encodedLimit = 2 ** 22;
/** Characters of all forms that one job may ask to hide. */
const totalLimit = 2 ** 22 + 2 ** 21;

/**
 * Hides secrets in text: every form of {@link secretForms} becomes `***`, and forms that overlap or touch become one.
 * What a character costs does not depend on how many secrets there are.
 *
 * Beyond 4 Mi characters of forms, further values are hidden as they are written and no longer in their encodings.
 */
export class Masker {
  readonly #known = new Set<string>();
  #weight = 0;
  #waiting: string[] = [];
  /** Largest first. A new one takes in those that are not much larger: every form is built some log n times. */
  #automata: PatternAutomaton[] = [];

  /**
   * Hides `secret` from now on.
   * @throws {UserError} `FRR601` when a job's masks together exceed 6 Mi characters.
   */
  add(secret: string): void {
    for (const form of this.#formsOf(secret)) {
      if (this.#known.has(form)) continue;
      if (this.#weight + form.length > totalLimit) throw tooMuchToHide();
      this.#known.add(form);
      this.#weight += form.length;
      this.#waiting.push(form);
    }
  }

  #formsOf(secret: string): readonly string[] {
    const room = encodedLimit - this.#weight;
    // Too long whatever its forms are: they need not be made.
    if (secret.length * 8 > room) return plainForms(secret);
    const forms = secretForms(secret);
    let weight = 0;
    for (const form of forms) weight += form.length;
    return weight > room ? plainForms(secret) : forms;
  }

  /** `text` with all secrets hidden. */
  mask(text: string): string {
    const found: Spans = [];
    const { spans } = this.find(text, found);
    return spans.length === 0 ? text : replace(text, spans, -1, text.length);
  }

  /** A masker for a text that comes in pieces. */
  stream(): MaskStream {
    return new MaskStream(this);
  }

  /**
   * Where secrets are in `text`, and how many characters at its end may be the beginning of one.
   * For {@link MaskStream}.
   */
  find(text: string, found: Spans): { readonly spans: Spans; readonly open: number } {
    this.#build();
    let spans = found;
    let open = 0;
    for (const automaton of this.#automata) {
      const own: Spans = [];
      open = Math.max(open, automaton.scan(text, own));
      spans = mergeSpans(spans, own);
    }
    return { spans, open };
  }

  #build(): void {
    if (this.#waiting.length === 0) return;
    let patterns = this.#waiting;
    this.#waiting = [];
    let weight = 0;
    for (const pattern of patterns) weight += pattern.length;
    for (;;) {
      const last = this.#automata.at(-1);
      if (last === undefined || last.weight > 2 * weight) break;
      this.#automata.pop();
      patterns = last.patterns.concat(patterns);
      weight += last.weight;
    }
    this.#automata.push(new PatternAutomaton(patterns));
  }
}

/**
 * Hides secrets in a text that comes in pieces of any size: what comes out, joined, is what {@link Masker.mask} makes
 * of the whole. Keeps back only what may be the beginning of a secret, so less than the longest form.
 */
export class MaskStream {
  readonly #masker: Masker;
  #held = '';
  /** How far into `#held` the last `***` reaches; -1 where the last character that went out is none. */
  #hiddenTo = -1;

  constructor(masker: Masker) {
    this.#masker = masker;
  }

  /** Takes a piece and returns what can go out. */
  push(text: string): string {
    return this.#take(this.#held + text, false);
  }

  /** Returns what was kept back. */
  end(): string {
    return this.#take(this.#held, true);
  }

  #take(text: string, isEnd: boolean): string {
    // A mask that was added since the last piece finds its beginning in `#held`, because all of it is looked at again.
    const { spans, open } = this.#masker.find(text, []);
    const safe = isEnd ? text.length : text.length - open;
    const out = replace(text, spans, this.#hiddenTo, safe);
    this.#hiddenTo = hiddenBeyond(spans, this.#hiddenTo, safe);
    this.#held = text.slice(safe);
    if (isEnd) this.#hiddenTo = -1;
    return out;
  }
}

/** The text up to `end`, where its first `hiddenTo` characters are covered by a `***` that went out before. */
function replace(text: string, spans: Spans, hiddenTo: number, end: number): string {
  let out = '';
  let from = Math.max(0, hiddenTo);
  let covered = hiddenTo;
  for (let index = 0; index < spans.length; index += 2) {
    const start = spans[index] ?? 0;
    const stop = spans[index + 1] ?? 0;
    if (start >= end) break;
    if (start > covered) out += text.slice(from, start) + hidden;
    from = Math.max(from, stop);
    covered = Math.max(covered, stop);
  }
  return from < end ? out + text.slice(from, end) : out;
}

function hiddenBeyond(spans: Spans, hiddenTo: number, end: number): number {
  let covered = hiddenTo;
  for (let index = 0; index < spans.length; index += 2) {
    if ((spans[index] ?? 0) >= end) break;
    covered = Math.max(covered, spans[index + 1] ?? 0);
  }
  return covered >= end ? covered - end : -1;
}

function tooMuchToHide(): UserError {
  return new UserError('FRR601', {
    problems: [{ message: `expected at most ${totalLimit} characters of masked values in a job, found more` }],
    next: 'mask the secret parts only, not whole files',
  });
}
