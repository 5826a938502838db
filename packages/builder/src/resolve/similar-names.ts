import { z } from 'zod';
import { closest } from '../closest.ts';
import { defaultBackends } from '../manifest/layer.ts';
import type { Npm } from './npm.ts';

const found = z.array(z.looseObject({ name: z.string() }));
const searchTimeoutMs = 4000;

/**
 * Names of backends that were perhaps meant: from the registry's search, as far as it answers in time, and from the
 * official ones. Never fails: it only makes another error more helpful.
 */
export async function findSimilarNames(name: string, npm: Npm, signal: AbortSignal): Promise<readonly string[]> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(searchTimeoutMs)]);
  const words = name.split(/[@/._-]+/).filter((word) => word.length > 2);
  // By keyword, by all words, and by a part that is likely to be right: registries differ in what they search.
  const [first = ''] = words;
  const part = name.startsWith('@')
    ? [name.slice(0, name.indexOf('/'))]
    : [first.slice(0, Math.ceil(first.length / 2))];
  const searches = [['keywords:forgejo-runner-backend'], words, part].filter((terms) => terms.length > 0);
  const answers = await Promise.all(searches.map((terms) => search(terms, npm, limited)));
  signal.throwIfAborted();
  return closest(name, [...answers.flat(), ...Object.values(defaultBackends)]);
}

async function search(terms: readonly string[], npm: Npm, signal: AbortSignal): Promise<string[]> {
  try {
    const args = ['search', '--searchlimit=50', '--fetch-retries=0', '--fetch-timeout=3000', '--', ...terms];
    return found.parse(await npm.run(args, npm.cwd, signal)).map((entry) => entry.name);
  } catch {
    // Many registries have no search.
    return [];
  }
}
