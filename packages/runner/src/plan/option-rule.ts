import { quoted } from '../user-error.ts';
import type { OptionDraft, OptionFields } from './option-fields.ts';
import type { Read } from './option-values.ts';

/** What one option of `docker run` does. */
export interface OptionRule {
  /** Long and short, with their dashes. */
  readonly names: readonly string[];
  /** It takes no value. */
  readonly isSwitch: boolean;
  /** Puts the value where it belongs, or says what is wrong with it. */
  readonly set?: (value: string, draft: OptionDraft) => string | undefined;
  /** Only an administrator may give this value: it reaches beyond the container. */
  readonly isRestricted?: (value: string) => boolean;
  /** Why the option changes nothing. */
  readonly idle?: string;
}

type Fields = OptionDraft['fields'];
/** Names of the fields that hold values of a type. */
type FieldOf<T> = { [K in keyof Fields]-?: T extends Exclude<Fields[K], undefined> ? K : never }[keyof Fields];

/** Whatever the value. */
export const onlyAdministrators = (): boolean => true;

/** An option with a value. */
export function option(names: string, set: NonNullable<OptionRule['set']>): OptionRule {
  return { names: names.split(' '), isSwitch: false, set };
}

/** An option that only administrators may give. */
export function restricted(names: string, set: NonNullable<OptionRule['set']>): OptionRule {
  return { ...option(names, set), isRestricted: onlyAdministrators };
}

/** A switch. */
export function flag(names: string, set: (fields: Fields) => void): OptionRule {
  const setFlag = (_value: string, { fields }: OptionDraft): undefined => {
    set(fields);
    return undefined;
  };
  return { ...option(names, setFlag), isSwitch: true };
}

/** An option that changes nothing here. */
export function idle(names: string, why: string): OptionRule {
  return { names: names.split(' '), isSwitch: false, idle: why };
}

/** Sets a field to a text that fits a pattern. */
export function text(key: FieldOf<string>, pattern: RegExp, what: string): NonNullable<OptionRule['set']> {
  return (value, { fields }) => take(fits(value, pattern, what), (fit) => (fields[key] = fit));
}

/** Sets a field to a number. */
export function number(key: FieldOf<number>, read: (value: string) => Read<number>): NonNullable<OptionRule['set']> {
  return (value, { fields }) => take(read(value), (found) => (fields[key] = found));
}

type ListKey =
  | 'ulimits'
  | 'capAdd'
  | 'capDrop'
  | 'extraHosts'
  | 'groupAdd'
  | 'dns'
  | 'dnsSearch'
  | 'devices'
  | 'securityOpt';
type ItemOf<K extends ListKey> = NonNullable<OptionFields[K]>[number];

/** An option that may be given several times. */
export function each<K extends ListKey>(
  key: K,
  read: (value: string) => Read<ItemOf<K>>,
): NonNullable<OptionRule['set']> {
  return (value, { fields }) =>
    take(read(value), (item) => {
      // A list of the same kind of items, which the compiler cannot see through the key.
      const list = [...((fields[key] as readonly ItemOf<K>[] | undefined) ?? []), item];
      Object.assign(fields, { [key]: list });
    });
}

/** Uses what was read, or says what is wrong with it. */
export function take<T>(read: Read<T>, set: (value: T) => void): string | undefined {
  if ('problem' in read) return read.problem;
  set(read.value);
  return undefined;
}

/** A text that fits a pattern. */
export function fits(value: string, pattern: RegExp, what: string): Read<string> {
  return pattern.test(value) ? { value } : { problem: wrong(what, value) };
}

/** What was expected and what was found. */
export function wrong(what: string, found: string): string {
  return `expected ${what}, found ${quoted(found)}`;
}
