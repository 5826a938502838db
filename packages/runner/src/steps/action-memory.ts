import type { Step } from '../workflow/model.ts';
import type { FoundAction } from './actions/find-action.ts';
import type { Frame } from './frame.ts';

/** What is kept of an action between its stages: before, in and after the steps of its job. */
export interface ActionMemory {
  /** What `GITHUB_STATE` said; `STATE_*` in the stages after. */
  readonly state: Map<string, string>;
  /** Steps inside that have something to do after the job, by key, in the order in which they came. */
  readonly posts: Map<string, PostStep>;
  /** The action as it was when it ran: a later step may have changed its files. */
  found?: FoundAction;
  /** Image that was built for it. */
  image?: string;
}

/** A step that has something to do after the job. */
export interface PostStep {
  readonly step: Step;
  readonly frame: Frame;
}

/** Memory of the actions of one job by the key of their step; the empty key is the job itself. */
export class ActionMemories {
  /** Repositories whose files are in the environment, by their id. */
  readonly installed: Set<string> = new Set();
  readonly #memories = new Map<string, ActionMemory>();

  of(key: string): ActionMemory {
    let memory = this.#memories.get(key);
    if (memory === undefined) {
      memory = { state: new Map(), posts: new Map() };
      this.#memories.set(key, memory);
    }
    return memory;
  }

  /** Memory of whom the steps of a list belong to. */
  around(frame: Frame): ActionMemory {
    return this.of(frame.action?.key ?? '');
  }
}
