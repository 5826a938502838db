import { distance } from 'fastest-levenshtein';

function bare(name: string): string {
  return name.replace(/^@[^/]+\//, '');
}

/** The up to three names that are close enough to be the same word with a slip. */
export function closest(name: string, candidates: readonly string[]): readonly string[] {
  const rated = [...new Set(candidates)]
    .filter((candidate) => candidate !== name)
    .map((candidate) => ({
      candidate,
      far: Math.min(distance(name, candidate), distance(bare(name), bare(candidate)) + 1),
    }))
    .filter(({ candidate, far }) => far <= Math.max(2, Math.floor(Math.max(name.length, candidate.length) / 4)));
  return rated
    .toSorted((a, b) => a.far - b.far || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}
