/** Procedures of both services, by their names on the wire. */
export type Procedure = 'Ping' | 'Register' | 'Declare' | 'FetchTask' | 'FetchSingleTask' | 'UpdateTask' | 'UpdateLog';

/** What goes wrong with one request. `before` and `after` are meant of the server's own work. */
export type Fault =
  /** Something else answers: a proxy, a page, another server. The server itself sees nothing of the request. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The server says no in the words of the protocol, such as `internal`. */
  | { readonly kind: 'error'; readonly code: string; readonly message: string; readonly status?: number }
  /** The connection is cut. */
  | { readonly kind: 'reset'; readonly when: 'before' | 'after' }
  /** The answer begins, and the connection is cut within it. */
  | { readonly kind: 'half' }
  /** The answer comes so much later. */
  | { readonly kind: 'slow'; readonly ms: number; readonly when: 'before' | 'after' }
  /** There is no answer, and the connection stays open. */
  | { readonly kind: 'hang'; readonly when: 'before' | 'after' }
  /** The connection is cut, and the server does the work only after it has answered the next request of this kind. */
  | { readonly kind: 'overtaken' }
  /** The server does the work twice, as after a proxy that tries again. */
  | { readonly kind: 'twice' }
  /** What the server answers is put in place of its answer. */
  | { readonly kind: 'altered'; readonly alter: (body: Buffer) => Buffer | string };

/** A request that a fault is chosen for. */
export interface FaultQuestion {
  readonly procedure: Procedure;
  /** Of the runner that asks, from its headers. */
  readonly runner?: string;
}

/** When a fault happens. */
export interface FaultRule {
  /** To what; to all procedures, where it is missing. */
  readonly on?: Procedure | readonly Procedure[];
  readonly fault: Fault;
  /** Requests that go well before. Default 0. */
  readonly after?: number;
  /** How often it happens. Default 1; `Infinity` until {@link Scenario.clear}. */
  readonly times?: number;
}

/** What goes wrong at a server, in which order. */
export interface Scenario {
  /** Adds a rule behind those that are there. */
  readonly add: (rule: FaultRule) => void;
  /** Asked for each request that no rule is for; chaos is made with it. */
  readonly choose: (choice: ((question: FaultQuestion) => Fault | undefined) | undefined) => void;
  /** From now on all goes well. */
  readonly clear: () => void;
  /** Faults that rules still have in store; 0 when the script has been played. */
  readonly left: () => number;
}

/** The part of a scenario that the server has. */
export interface PlayedScenario extends Scenario {
  readonly next: (question: FaultQuestion) => Fault | undefined;
}

/** An empty script. */
export function openScenario(): PlayedScenario {
  let rules: { readonly rule: FaultRule; after: number; times: number }[] = [];
  let choice: ((question: FaultQuestion) => Fault | undefined) | undefined;
  return {
    add: (rule) => void rules.push({ rule, after: rule.after ?? 0, times: rule.times ?? 1 }),
    choose: (next) => {
      choice = next;
    },
    clear: () => {
      rules = [];
      choice = undefined;
    },
    left: () => {
      let left = 0;
      for (const { times } of rules) left += times;
      return left;
    },
    next: (question) => {
      for (const entry of rules) {
        if (entry.times <= 0 || !isAbout(entry.rule, question.procedure)) continue;
        if (entry.after > 0) {
          entry.after -= 1;
          continue;
        }
        entry.times -= 1;
        return entry.rule.fault;
      }
      return choice?.(question);
    },
  };
}

function isAbout({ on }: FaultRule, procedure: Procedure): boolean {
  return on === undefined || on === procedure || (typeof on !== 'string' && on.includes(procedure));
}

/** A web page in place of an answer, as from a proxy that asks people to log in, or from a server that is no Forgejo. */
export function webPage(status = 200): Fault {
  const body = '<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>';
  return { kind: 'answer', status, body, headers: { 'content-type': 'text/html; charset=utf-8' } };
}
