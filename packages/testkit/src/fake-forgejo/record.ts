import type { Fault, Procedure } from './scenario.ts';

/** One request that came in at a fake server. */
export interface RecordedRequest {
  readonly atMs: number;
  readonly procedure: Procedure;
  /** From its headers; missing with `Ping` and `Register`. */
  readonly runner?: string;
  readonly requestKey?: string;
  readonly codec: 'json' | 'binary' | 'other';
  /** Size of the body as it came. */
  readonly bytes: number;
  readonly isCompressed: boolean;
  /** Of the runner, as it says by itself. */
  readonly userAgent: string;
  readonly fault?: Fault['kind'];
}

/** All requests, in the order in which they came. */
export interface RequestRecord {
  readonly all: readonly RecordedRequest[];
  /** How many of one procedure, or of all. */
  readonly count: (procedure?: Procedure) => number;
  /** The most of one procedure that one runner had under way at once. */
  readonly mostAtOnce: (procedure: Procedure) => number;
  /** Forgets all of it, to count from now on. */
  readonly clear: () => void;
}

/** The part of a record that the server has. */
export interface OpenRecord extends RequestRecord {
  /** Notes a request; what it returns is called when it has been answered. */
  readonly begin: (request: RecordedRequest) => () => void;
}

/** An empty record. */
export function openRecord(): OpenRecord {
  let all: RecordedRequest[] = [];
  const atOnce = new Map<string, number>();
  const most = new Map<Procedure, number>();
  return {
    get all() {
      return all;
    },
    count: (procedure) =>
      procedure === undefined ? all.length : all.filter((request) => request.procedure === procedure).length,
    mostAtOnce: (procedure) => most.get(procedure) ?? 0,
    clear: () => {
      all = [];
      most.clear();
    },
    begin: (request) => {
      all.push(request);
      const key = `${request.procedure} ${request.runner ?? ''}`;
      const now = (atOnce.get(key) ?? 0) + 1;
      atOnce.set(key, now);
      most.set(request.procedure, Math.max(most.get(request.procedure) ?? 0, now));
      return () => void atOnce.set(key, (atOnce.get(key) ?? 1) - 1);
    },
  };
}
