import { toText, type ValueMap } from '../expressions/values.ts';
import type { RemoteAction } from '../steps/actions/action-source.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';

/** Where the actions of a job come from, and what the job may show there. */
export interface ActionAccess {
  /** Server of actions without one of their own, where the instance says. */
  readonly defaultUrl?: string;
  /** The job's own instance, which `token` is for. */
  readonly serverUrl?: string;
  readonly token?: string;
}

/** Finds remote actions. */
export interface ActionSource {
  /** @throws UserError `FRR602` where there is none; what `parseAction` throws where it is malformed. */
  readonly find: (uses: string, at: Place, access: ActionAccess, signal: AbortSignal) => Promise<RemoteAction>;
}

/** The remote actions of one job. What a name meant when it was first looked up, it means to the end of the job. */
export class JobActions {
  readonly #source: ActionSource | undefined;
  readonly #access: ActionAccess;
  readonly #found = new Map<string, Promise<RemoteAction>>();

  constructor(source: ActionSource | undefined, github: ValueMap) {
    this.#source = source;
    this.#access = accessOf(github);
  }

  /** @throws UserError `FRR602`. */
  async find(uses: string, at: Place, signal: AbortSignal): Promise<RemoteAction> {
    const known = this.#found.get(uses);
    if (known !== undefined) return known;
    if (this.#source === undefined) {
      throw new UserError('FRR602', {
        problems: [
          { at, message: `expected a store of remote actions in this runner for ${quoted(uses)}, found none` },
        ],
        next: 'use a local action, or a run step',
      });
    }
    const finding = this.#source.find(uses, at, this.#access, signal);
    this.#found.set(uses, finding);
    // What failed once, on a cancelled signal for instance, is no answer for the next one.
    finding.catch(() => this.#found.delete(uses));
    return finding;
  }

  /** What was found so far, in the order in which it was asked for. */
  async list(): Promise<readonly RemoteAction[]> {
    return Promise.all(this.#found.values());
  }
}

function accessOf(github: ValueMap): ActionAccess {
  const text = (name: string): string => toText(github.get(name) ?? null);
  // Forgejo's instances hand out the second name, newer ones the first as well.
  const defaultUrl = text('forgejo_default_actions_url') || text('gitea_default_actions_url');
  const [serverUrl, token] = [text('server_url'), text('token')];
  return {
    ...(defaultUrl === '' ? {} : { defaultUrl }),
    ...(serverUrl === '' ? {} : { serverUrl }),
    ...(token === '' ? {} : { token }),
  };
}
