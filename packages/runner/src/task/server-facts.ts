import { toText, type Value, type ValueMap } from '../expressions/values.ts';

/** What a server tells the runner in the context of a task. It is not for the job to see. */
export interface ServerFacts {
  readonly serverVersion?: string;
  /** Where actions come from whose `uses` names no server. */
  readonly defaultActionsUrl?: string;
  /** Of this job, for uploads. */
  readonly runtimeToken?: string;
  readonly idTokenRequest?: IdTokenRequest;
}

/** Where a job gets an identity token, and what it asks with. */
export interface IdTokenRequest {
  readonly url: string;
  readonly token: string;
}

/**
 * Takes the entries of a task's context that are for the runner out of what the job sees. Forgejo writes them with the
 * prefix `forgejo_`, older versions with `gitea_`.
 */
export function takeServerFacts(context: ValueMap): { readonly github: ValueMap; readonly facts: ServerFacts } {
  const own = new Map<string, string>();
  const github = new Map<string, Value>();
  for (const [key, value] of context) {
    const name = /^(forgejo|gitea)_(.+)$/.exec(key);
    const [, prefix, rest] = name ?? [];
    if (rest === undefined) github.set(key, value);
    else if (prefix === 'forgejo' || !own.has(rest)) own.set(rest, toText(value));
  }
  const [url, token] = [own.get('actions_id_token_request_url'), own.get('actions_id_token_request_token')];
  return {
    github,
    facts: {
      ...present('serverVersion', own.get('server_version')),
      ...present('defaultActionsUrl', own.get('default_actions_url')),
      ...present('runtimeToken', own.get('runtime_token')),
      ...(url && token ? { idTokenRequest: { url, token } } : {}),
    },
  };
}

type Text = Exclude<keyof ServerFacts, 'idTokenRequest'>;

function present(key: Text, value: string | undefined): Pick<ServerFacts, Text> {
  // An empty text is how a server says that there is none.
  return value ? { [key]: value } : {};
}
