import { inspect, isDeepStrictEqual } from 'node:util';
import { type BackendErrorCode, isBackendError } from '@forgejo-runner/core';

/** What a check says about a backend that does not do what the contract asks. */
export class Nonconformance extends Error {
  override readonly name: string = 'Nonconformance';
}

/** @throws Nonconformance unless the condition holds. */
export function expectThat(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Nonconformance(problem);
}

/** @throws Nonconformance that shows both values, unless they are the same. */
export function expectSame(found: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(found, expected)) return;
  throw new Nonconformance(`${what}: expected ${show(expected)}, found ${show(found)}`);
}

/** A value in one short line. */
export function show(value: unknown): string {
  const text = inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 4, maxStringLength: 200 });
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

/**
 * Waits for a rejection and looks at it: a branded `BackendError` with one of these codes.
 *
 * @throws Nonconformance for anything else.
 */
export async function expectRejection(
  work: PromiseLike<unknown>,
  codes: readonly BackendErrorCode[],
  what: string,
): Promise<Error> {
  const wanted = `a BackendError ${codes.map((code) => `"${code}"`).join(' or ')}`;
  try {
    const value = await work;
    throw new Nonconformance(`${what}: expected ${wanted}, found that it resolved to ${show(value)}`);
  } catch (error) {
    if (error instanceof Nonconformance) throw error;
    const found = describeError(error);
    expectThat(isBackendError(error) && codes.includes(error.code), `${what}: expected ${wanted}, found ${found}`);
    return error;
  }
}

/** An error in words, with its code where it has one. */
export function describeError(error: unknown): string {
  if (isBackendError(error)) return `BackendError "${error.code}": ${error.message.slice(0, 300)}`;
  return error instanceof Error ? `${error.name}: ${error.message.slice(0, 300)}` : show(error);
}
