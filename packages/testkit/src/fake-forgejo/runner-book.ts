import { randomBytes, randomUUID } from 'node:crypto';
import type { ServerClock } from '../server-clock.ts';

/** Whose jobs a runner takes; without either, those of the whole instance. */
export interface RunnerScope {
  readonly owner?: string;
  /** `owner/name` */
  readonly repository?: string;
}

/** A runner that the instance knows. What it says of itself changes as it declares. */
export interface KnownRunner {
  readonly id: number;
  readonly uuid: string;
  readonly token: string;
  readonly name: string;
  readonly scope: RunnerScope;
  readonly ephemeral: boolean;
  labels: readonly string[];
  version: string;
  lastOnlineMs: number;
  lastActiveMs: number;
  isDeleted: boolean;
}

/** What a new runner is to be. */
export type NewRunner = Partial<
  Pick<KnownRunner, 'uuid' | 'token' | 'name' | 'labels' | 'version' | 'ephemeral' | 'scope'>
>;

/** Whether a registration token may still be used. */
export interface RegistrationToken {
  readonly scope: RunnerScope;
  isActive: boolean;
}

const offlineMs = 60_000;
const idleMs = 10_000;

/** Runners and registration tokens of an instance. */
export class RunnerBook {
  readonly #clock: ServerClock;
  readonly #runners: KnownRunner[] = [];
  readonly tokens: Map<string, RegistrationToken> = new Map();

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  get all(): readonly KnownRunner[] {
    return this.#runners;
  }

  add(runner: NewRunner): KnownRunner {
    const added: KnownRunner = {
      id: this.#runners.length + 1,
      uuid: runner.uuid ?? randomUUID(),
      token: runner.token ?? randomBytes(20).toString('hex'),
      name: cut(runner.name ?? `runner-${this.#runners.length + 1}`, 255),
      scope: runner.scope ?? {},
      ephemeral: runner.ephemeral ?? false,
      labels: runner.labels ?? [],
      version: runner.version ?? '',
      lastOnlineMs: 0,
      lastActiveMs: 0,
      isDeleted: false,
    };
    this.#runners.push(added);
    return added;
  }

  /** The runner that a request comes from; notes that it is there. */
  authenticate(uuid: string | null, token: string | null, isActive: boolean): KnownRunner | undefined {
    const runner = this.#runners.find((one) => one.uuid === uuid && !one.isDeleted);
    if (runner === undefined || runner.token !== token) return undefined;
    runner.lastOnlineMs = this.#clock.now();
    if (isActive) runner.lastActiveMs = runner.lastOnlineMs;
    return runner;
  }

  statusOf(runner: KnownRunner): 'idle' | 'active' | 'offline' {
    const now = this.#clock.now();
    if (now - runner.lastOnlineMs > offlineMs) return 'offline';
    return now - runner.lastActiveMs > idleMs ? 'idle' : 'active';
  }
}

function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text, 'utf8');
  if (encoded.length <= bytes) return text;
  // Not within a character: what is left of one decodes to U+FFFD.
  return encoded.toString('utf8', 0, bytes).replace(/\uFFFD+$/, '');
}
