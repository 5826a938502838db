import { z } from 'zod';
import { type ErrorCode, errorCodes } from '../error-codes.ts';
import { keyOf, type Store } from '../store/store.ts';
import { UserError } from '../user-error.ts';
import { type Inputs, placesOf } from './places.ts';
import { isAsSeen, see, seenSchema } from './seen.ts';

const warningSchema = z.object({
  code: z.custom<ErrorCode>((code) => typeof code === 'string' && Object.hasOwn(errorCodes, code)),
  message: z.string(),
  next: z.string(),
  where: z.string().optional(),
  details: z.string().optional(),
});
const schema = z.object({
  inputs: seenSchema,
  outputs: seenSchema,
  warnings: z.array(warningSchema),
  report: z.unknown(),
});

/** What an earlier build said, while its output is still what it wrote. */
export interface KnownResult {
  readonly warnings: readonly UserError[];
  /** As it was handed to {@link rememberResult}: of values that JSON has. */
  readonly report: unknown;
}

/** A key of everything that was asked for. Maps and sets count by what is in them. */
export function resultKey(...parts: readonly unknown[]): string {
  return keyOf('result-1', JSON.parse(JSON.stringify(parts, plain)) as unknown);
}

function plain(_: string, value: unknown): unknown {
  return value instanceof Map || value instanceof Set ? [...value] : value;
}

/**
 * The result of the same request, when all that it rested on is as it was and all that it wrote is there and whole.
 * Undefined otherwise: then it is built.
 */
export async function findResult(key: string, store: Store): Promise<KnownResult | undefined> {
  const found = schema.safeParse(await store.readJson('results', key));
  if (!found.success) return undefined;
  const { inputs, outputs, warnings, report } = found.data;
  if (!(await isAsSeen(outputs)) || !(await isAsSeen(inputs))) return undefined;
  return {
    warnings: warnings.map(({ code, message, ...init }) => new UserError(code, message, defined(init))),
    report,
  };
}

function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // Entries that are undefined are gone afterwards, which is what the type says.
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** What was built, and from what. */
export interface BuiltResult extends KnownResult {
  readonly inputs: Inputs;
  readonly outputs: readonly string[];
  /** When the build began, in milliseconds since 1970. */
  readonly startedAtMs: number;
}

// A kernel counts the time of a file in ticks of some milliseconds.
const tickMs = 20;

/** Remembers a result for {@link findResult}, unless something that it rests on changed meanwhile. */
export async function rememberResult(key: string, built: BuiltResult, store: Store): Promise<void> {
  const places = await placesOf(built.inputs, store.dir);
  const isInCache = (place: string): boolean => place.startsWith(store.dir);
  const local = await see(
    places.filter((place) => !isInCache(place)),
    built.startedAtMs - tickMs,
  );
  // Trees are compared with their checksums whenever they are bundled, so they may be as new as this build.
  const cached = await see(places.filter(isInCache), Number.POSITIVE_INFINITY);
  const outputs = await see(built.outputs, Number.POSITIVE_INFINITY);
  if (local === undefined || cached === undefined || outputs === undefined) return;
  const warnings = built.warnings.map(({ code, message, next, where, details }) => ({
    code,
    message,
    next,
    where,
    details,
  }));
  await store.writeJson('results', key, { inputs: [...local, ...cached], outputs, warnings, report: built.report });
}
