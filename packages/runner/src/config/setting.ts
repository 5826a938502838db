import * as z from 'zod';
import { parseDuration } from '../plan/duration.ts';
import { parseSize } from './size.ts';

/** What the documentation, the example and the messages say about one setting. */
export interface Setting {
  /** What it is for, in one or two sentences without a full stop at the end. */
  readonly about: string;
  /** Finishes "expected …" and stands in the reference as its type. */
  readonly expected: string;
  /** As it is written in a file; absent where there is none. */
  readonly byDefault?: string;
  /** A value to show where there is no default. */
  readonly example?: string;
  /** A message must not quote it. */
  readonly isSecret?: boolean;
  /** The text in the file counts, whatever type YAML sees in it: `1.10` is not 1.1. */
  readonly isText?: boolean;
  readonly isDeprecated?: boolean;
  readonly choices?: readonly string[];
}

/** All settings, by their schema. */
export const settings: z.core.$ZodRegistry<Setting> = z.registry<Setting>();

type More = Partial<Omit<Setting, 'about'>>;

function register<T extends z.ZodType>(schema: T, setting: Setting): T {
  settings.add(schema, setting);
  return schema;
}

/** A text that may be empty, which is how the Go runner's example writes "not set". */
export function text(about: string, more: More = {}): z.ZodDefault<z.ZodString> {
  return register(z.string().default(more.byDefault ?? ''), { about, expected: 'a text', isText: true, ...more });
}

/** A text that has to be there. */
export function requiredText(about: string, more: More = {}): z.ZodString {
  return register(z.string().min(1), { about, expected: 'a text', isText: true, ...more });
}

/** Form of the identity of a runner. */
export const uuidPattern: RegExp = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Yes or no, also as YAML 1.1 has them, because the Go runner reads those. */
export function flag(
  byDefault: boolean,
  about: string,
): z.ZodDefault<z.ZodPipe<z.ZodString, z.ZodTransform<boolean, string>>> {
  const schema = z.string().transform((written, context): boolean => {
    if (/^(?:true|yes|on|y)$/i.test(written)) return true;
    if (!/^(?:false|no|off|n)$/i.test(written)) context.addIssue('expected true or false');
    return false;
  });
  return register(schema.default(byDefault), {
    about,
    expected: 'true or false',
    byDefault: String(byDefault),
    isText: true,
  });
}

/** A whole number within limits. */
export function count(byDefault: number, limits: { readonly max: number }, about: string): z.ZodDefault<z.ZodNumber> {
  const expected =
    limits.max === Number.MAX_SAFE_INTEGER ? 'a whole number from 0' : `a whole number from 0 to ${limits.max}`;
  const schema = z.int().min(0).max(limits.max).default(byDefault);
  return register(schema, { about, expected, byDefault: String(byDefault) });
}

/** A duration as Go writes it, in milliseconds. */
export function duration(byDefault: string, about: string): z.ZodPrefault<DurationSchema> {
  return register(durationSchema().prefault(byDefault), { ...durationSetting(about), byDefault });
}

/** A duration that need not be there. */
export function optionalDuration(about: string): z.ZodOptional<DurationSchema> {
  return register(durationSchema().optional(), { ...durationSetting(about), example: '30s' });
}

type DurationSchema = z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>;

function durationSchema(): DurationSchema {
  return z.string().transform((written, context): number => {
    const ms = parseDuration(written);
    if (ms === undefined) context.addIssue('expected a duration');
    return ms ?? 0;
  });
}

function durationSetting(about: string): Setting {
  return { about, expected: 'a duration such as 3h, 1m30s or 0', isText: true };
}

/** A size in bytes, as people write it; 0 is no limit. */
export function size(
  byDefault: string,
  about: string,
): z.ZodPrefault<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>> {
  const schema = z.string().transform((written, context): number => {
    const bytes = parseSize(written);
    if (bytes === undefined) context.addIssue('expected a size');
    return bytes ?? 0;
  });
  const expected = 'a size such as 500MiB, 10GiB or 0';
  return register(schema.prefault(byDefault), { about, expected, byDefault, isText: true });
}

/** One of some words. */
export function choice<const T extends readonly [string, ...string[]]>(
  choices: T,
  byDefault: T[number],
  about: string,
): z.ZodDefault<z.ZodEnum<{ [K in T[number]]: K }>> {
  const schema = z.enum(choices).default(byDefault as never);
  return register(schema, { about, expected: `one of ${choices.join(', ')}`, byDefault, isText: true, choices });
}

/** A text that fits a pattern, or is empty. */
export function pattern(
  fits: RegExp,
  about: string,
  more: More & { readonly expected: string },
): z.ZodDefault<z.ZodString> {
  const schema = z.string().refine((written) => written === '' || fits.test(written));
  return register(schema.default(''), { about, isText: true, ...more });
}

/** Names and texts. */
export function texts(about: string, example: string): z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodString>> {
  const value = register(z.string(), { about: 'a value', expected: 'a text', isText: true, isSecret: true });
  const schema = z.record(z.string(), value).default({});
  return register(schema, { about, expected: 'a mapping of names to texts', byDefault: '{}', example });
}

/** Names and whole numbers. */
export function counts(about: string, example: string): z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodNumber>> {
  const value = register(z.int().min(0), { about: 'a number', expected: 'a whole number from 0' });
  const schema = z.record(z.string(), value).default({});
  return register(schema, { about, expected: 'a mapping of names to whole numbers', byDefault: '{}', example });
}

/** A list of texts. */
export function textList(about: string, example: string): z.ZodDefault<z.ZodArray<z.ZodString>> {
  const item = register(z.string(), { about: 'an entry', expected: 'a text', isText: true });
  return register(z.array(item).default([]), { about, expected: 'a list of texts', byDefault: '[]', example });
}

/** What somebody else validates. */
export function anything(about: string, more: More & { readonly expected: string }): z.ZodOptional<z.ZodUnknown> {
  return register(z.unknown().optional(), { about, ...more });
}
