import { createHash } from 'node:crypto';
import { foldKey } from './cache-index.ts';

/** An entry's place among the objects of a bucket. */
export interface S3Place {
  readonly repository: string;
  readonly scope: string;
  readonly version: string;
}

/** Some storages keep names as files, whose names may have 255 bytes; the rest of a longer key is in its metadata. */
const keyBytes = 200;

/**
 * Objects are called `<repository>/<scope>/<version>/<key>/<creation>-<id>`, so that a look-up is one listing with a
 * prefix, which every S3 has an index for. Repositories, scopes and versions are digests: they stand for themselves
 * only, and none begins with another one.
 */
export function folderName({ repository, scope, version }: S3Place): string {
  return `${scopeName(repository, scope)}${digest(version)}/`;
}

/** What the objects of a scope begin with. */
export function scopeName(repository: string, scope: string): string {
  return `${digest(repository)}/${digest(scope)}/`;
}

/** A key as part of a name. What a key begins with its name begins with, as far as names reach. */
export function keyName(key: string): { readonly name: string; readonly isCut: boolean } {
  const name = encodeURIComponent(foldKey(key)).replaceAll(
    /[!'()*~.]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  if (name.length <= keyBytes) return { name, isCut: false };
  // Not within a %XX.
  return { name: name.slice(0, keyBytes).replace(/%.?$/, ''), isCut: true };
}

/** When an object was created, from its name. */
export function createdOf(name: string): number {
  return Number(/\/(\d+)-[\w-]+$/.exec(name)?.[1] ?? 0);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
