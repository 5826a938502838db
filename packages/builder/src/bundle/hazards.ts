import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { keyOf, type Store } from '../store/store.ts';
import { UserError } from '../user-error.ts';
import { packageAround } from './one-core.ts';

/** A place where a module computes a path from its own, which does not exist inside a bundle. */
export interface Hazard {
  /** Name and version of the package. */
  readonly packageTitle: string;
  /** File within the package. */
  readonly file: string;
  readonly line: number;
  /** What it looks for, where that can be read off. */
  readonly target: string | undefined;
}

const schema = z.array(
  z.object({ packageTitle: z.string(), file: z.string(), line: z.number(), target: z.string().optional() }),
);

// A use of the module's own place as an argument or an operand. Mere mentions (typeof, comments, definitions) are none.
const ownPlace =
  /(?:\b(?:join|resolve|readFileSync|readFile|createReadStream|openSync|loadSync|require|dlopen)\s*\(\s*(?:__dirname|__filename|import\.meta\.(?:dirname|filename))\b|\b__dirname\s*\+|\+\s*__dirname\b|`\$\{(?:__dirname|import\.meta\.dirname)\}|new URL\(\s*(?:"[^"]*"|'[^']*'|`[^`]*`)\s*,\s*import\.meta\.url\s*\))/;
// Packages whose whole purpose is to find a compiled addon at run time.
const addonFinder =
  /\brequire\(\s*["'](?:bindings|node-gyp-build|node-pre-gyp|@mapbox\/node-pre-gyp|nan-bindings)["']\s*\)/;

/** Findings that were looked into: `package file`, and why a runner does not need what is read there. */
export const harmless: ReadonlyMap<string, string> = new Map([
  [
    'ssh2 lib/protocol/crypto/poly1305.js',
    'its WebAssembly is in the module itself; the folder is kept for a loader that is not used',
  ],
  ['ssh2 lib/agent.js', 'a helper for the Pageant agent of Windows, which a runner does not talk to'],
  ['@grpc/grpc-js build/src/channelz.js', 'read when a server offers its own statistics, which a runner does not'],
  ['@grpc/grpc-js build/src/orca.js', 'read when a server reports its load, which a runner does not'],
]);

/**
 * Looks through what was bundled for modules that read files beside themselves. A heuristic on text: it finds the usual
 * ways, and says where, so that somebody can look. Remembered per set of files.
 */
export async function findHazards(
  inputs: readonly string[],
  cured: ReadonlySet<string>,
  store: Store,
): Promise<readonly Hazard[]> {
  const files = inputs.filter((file) => /\.[cm]?[jt]s$/.test(file) && !cured.has(file));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const suspects = files.flatMap((file, index) => {
    const found = findInText(texts[index] ?? '');
    return found === undefined ? [] : [{ file, ...found }];
  });
  const key = keyOf('hazards-1', suspects, [...harmless.keys()]);
  const known = schema.safeParse(await store.readJson('hazards', key));
  if (known.success) return known.data.map((one) => ({ ...one, target: one.target }));
  const found = await Promise.all(suspects.map(describe));
  const hazards = found.filter((one) => !harmless.has(`${one.packageTitle.replace(/@[^@]*$/, '')} ${one.file}`));
  await store.writeJson('hazards', key, hazards);
  return hazards;
}

/** The first place in a text where a module uses its own place, or looks for an addon. */
export function findInText(text: string): { readonly line: number; readonly target: string | undefined } | undefined {
  if (!/__dirname|__filename|import\.meta|bindings|node-gyp-build|node-pre-gyp/.test(text)) return undefined;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const code = line.trimStart();
    if (code.startsWith('//') || code.startsWith('*') || code.startsWith('/*')) continue;
    // A call may be broken over lines, as formatters do.
    const statement = `${line} ${(lines[index + 1] ?? '').trim()}`;
    const isHit =
      ownPlace.test(line) ||
      addonFinder.test(line) ||
      (!ownPlace.test(lines[index + 1] ?? '') && ownPlace.test(statement));
    if (isHit) return { line: index + 1, target: targetOf(statement) };
  }
  return undefined;
}

function targetOf(statement: string): string | undefined {
  const after =
    /(?:__dirname|__filename|import\.meta\.(?:dirname|filename))\s*[,+]\s*((?:["'][^"']*["']\s*,?\s*)+)/.exec(
      statement,
    )?.[1];
  const url = /new URL\(\s*["'`]([^"'`]*)["'`]/.exec(statement)?.[1];
  if (after === undefined) return url;
  return [...after.matchAll(/["']([^"']*)["']/g)].map((match) => (match[1] ?? '').replace(/^\//, '')).join('/');
}

async function describe(suspect: {
  readonly file: string;
  readonly line: number;
  readonly target: string | undefined;
}): Promise<Hazard> {
  const owner = await packageAround(suspect.file);
  return {
    packageTitle: owner === undefined ? 'a file without package' : `${owner.name}@${owner.version}`,
    file:
      owner === undefined
        ? path.basename(suspect.file)
        : path.relative(owner.dir, suspect.file).replaceAll(path.sep, '/'),
    line: suspect.line,
    target: suspect.target,
  };
}

/** What is to be said about a hazard. */
export function hazardError(hazard: Hazard): UserError {
  const reads = hazard.target === undefined || hazard.target === '' ? 'looks for files' : `reads ${hazard.target}`;
  return new UserError(
    'FRB502',
    `${hazard.packageTitle} ${hazard.file}:${hazard.line} ${reads} next to itself; inside one file that path does not exist`,
  );
}
