import { quoted } from '../user-error.ts';
import { type ContainerOptions, noOptions, type OptionDraft } from './option-fields.ts';
import type { OptionRule } from './option-rule.ts';
import { optionRules } from './option-rules.ts';
import { splitWords } from './split-words.ts';

/** Options that were read, what is wrong with them, and which of them change nothing here. */
export interface ReadOptions {
  readonly options: ContainerOptions;
  /** Names of the options that were given and that only an administrator may set, with their values. */
  readonly restricted: readonly string[];
  readonly problems: readonly string[];
  readonly notices: readonly string[];
}

const rulesByName: ReadonlyMap<string, OptionRule> = new Map(
  optionRules.flatMap((rule) => rule.names.map((name) => [name, rule] as const)),
);

/**
 * Reads a text as `docker run` reads its options, and finds everything that is wrong with it. A parser of command lines
 * in general stops at the first mistake, and takes `-m512m` or an empty value for something else.
 */
export function readContainerOptions(text: string): ReadOptions {
  const reader = new OptionReader();
  const words = splitWords(text);
  if (words === undefined) reader.problems.push(`expected every quote to be closed, found ${quoted(text)}`);
  else reader.readAll(words);
  const { draft, restricted, problems, notices } = reader;
  return { options: draft, restricted, problems, notices };
}

class OptionReader {
  readonly draft: OptionDraft = { ...noOptions, health: {}, fields: {} };
  readonly restricted: string[] = [];
  readonly problems: string[] = [];
  readonly notices: string[] = [];
  #words: string[] = [];

  readAll(words: readonly string[]): void {
    this.#words = [...words];
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) {
      if (word.startsWith('--') && word !== '--') this.#long(word);
      else if (word.startsWith('-') && word.length > 1 && word !== '--') this.#short(word.slice(1));
      else this.problems.push(`expected an option that begins with "-", found ${quoted(word)}`);
    }
  }

  #long(word: string): void {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    const rule = rulesByName.get(name);
    if (rule === undefined) this.#unknown(name);
    else this.#take(name, rule, at < 0 ? undefined : word.slice(at + 1));
  }

  /** `-it`, `-m512m`, `-m=512m`: the first that takes a value takes the rest. */
  #short(letters: string): void {
    for (let at = 0; at < letters.length; at += 1) {
      const name = `-${letters[at]}`;
      const rule = rulesByName.get(name);
      if (rule === undefined) return this.#unknown(name);
      const rest = letters.slice(at + 1);
      const takesRest = rest !== '' && (!rule.isSwitch || rest.startsWith('='));
      this.#take(name, rule, takesRest ? rest.replace(/^=/, '') : undefined);
      if (takesRest) return;
    }
  }

  #unknown(name: string): void {
    this.problems.push(`expected an option of docker run that this runner knows, found ${quoted(name)}`);
  }

  #take(name: string, rule: OptionRule, attached: string | undefined): void {
    const value = attached ?? (rule.isSwitch ? 'true' : this.#words.shift());
    if (value === undefined) return void this.problems.push(`expected a value after ${name}, found none`);
    if (rule.isSwitch && !/^(?:true|false|1|0|t|f)$/i.test(value)) {
      return void this.problems.push(`${name}: expected true or false, found ${quoted(value)}`);
    }
    // What is switched off is as by default.
    if (rule.isSwitch && !/^(?:true|1|t)$/i.test(value)) return;
    if (rule.idle !== undefined) return void this.notices.push(`${name} changes nothing: ${rule.idle}`);
    const problem = rule.set?.(value, this.draft);
    if (problem !== undefined) this.problems.push(`${name}: ${problem}`);
    else if (rule.isRestricted?.(value) === true) this.restricted.push(rule.isSwitch ? name : `${name} ${value}`);
  }
}
