import { randomBytes } from 'node:crypto';
import type { Env } from '@forgejo-runner/core';

/** A variable that is put into the environment of processes so that they are found again, wherever they went. */
export interface Marker {
  readonly name: string;
  readonly value: string;
  /** `NAME=value`, as it stands in an environment. */
  readonly text: string;
  /** The one variable, to be laid over an environment. */
  readonly env: Env;
}

/** A marker with a value that nobody else has. `kind` says what is marked: `ENV`, `EXEC`. */
export function newMarker(kind: string): Marker {
  return markerOf(kind, randomBytes(16).toString('hex'));
}

/** The marker with a known value, such as one that was written down by an earlier process. */
export function markerOf(kind: string, value: string): Marker {
  // The prefix is the contract's: backends keep their own variables below it.
  const name = `FJR_${kind}`;
  return { name, value, text: `${name}=${value}`, env: { [name]: value } };
}
