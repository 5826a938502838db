import type { FakeForgejo, Fault, FaultQuestion } from '@forgejo-runner/testkit';
import { webPage } from '@forgejo-runner/testkit';

/** Numbers from 0 to below 1 that are the same for the same seed. */
export type Random = () => number;

/** A small generator (mulberry32): chaos that can be had again. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function chosen<T>(random: Random, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0];
}

export function between(random: Random, from: number, to: number): number {
  return Math.floor(from + random() * (to - from));
}

/** What happens to the world in one round. */
export type Calamity =
  | { readonly kind: 'none' }
  /** The server is away for a while. */
  | { readonly kind: 'server'; readonly awayMs: number }
  /** Connections are cut, one time after the other. */
  | { readonly kind: 'network'; readonly cuts: number; readonly pauseMs: number }
  /** Requests fail in all ways that there are. */
  | { readonly kind: 'faults'; readonly share: number; readonly forMs: number }
  /** The runner is killed, and starts again. */
  | { readonly kind: 'kill'; readonly awayMs: number }
  /** Runner and server are gone at once. */
  | { readonly kind: 'power'; readonly awayMs: number };

/** Draws a calamity. */
export function nextCalamity(random: Random): Calamity {
  const awayMs = between(random, 0, 1500);
  return chosen<Calamity>(random, [
    { kind: 'none' },
    { kind: 'server', awayMs },
    { kind: 'network', cuts: between(random, 1, 6), pauseMs: between(random, 10, 200) },
    { kind: 'faults', share: 0.1 + 0.6 * random(), forMs: between(random, 200, 1500) },
    { kind: 'kill', awayMs },
    { kind: 'kill', awayMs: 0 },
    { kind: 'power', awayMs },
  ]);
}

const faults: readonly [Fault, ...Fault[]] = [
  { kind: 'answer', status: 502, body: 'bad gateway' },
  { kind: 'answer', status: 504 },
  webPage(503),
  { kind: 'error', code: 'internal', message: 'database is locked' },
  { kind: 'reset', when: 'before' },
  { kind: 'reset', when: 'after' },
  { kind: 'half' },
  { kind: 'twice' },
  { kind: 'slow', ms: 100, when: 'before' },
  { kind: 'slow', ms: 100, when: 'after' },
];

/** Makes a share of all requests fail until the scenario is cleared. */
export function failRequests(forgejo: FakeForgejo, random: Random, share: number): void {
  forgejo.scenario.choose(({ procedure }: FaultQuestion) => {
    if (random() >= share) return undefined;
    // Only rows may come late: a late state is older than what the server has.
    if (procedure === 'UpdateLog' && random() < 0.2) return { kind: 'overtaken' };
    return chosen(random, faults);
  });
}
