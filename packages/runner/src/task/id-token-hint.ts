import type { YamlNode } from '../workflow/yaml-node.ts';
import type { ServerFacts } from './server-facts.ts';

/** How a workflow asks for identity tokens: in Forgejo's words or in those of GitHub. */
export type IdTokenWish = 'enable-openid-connect' | 'permissions';

/** Whether a workflow of one job asks for identity tokens, for all jobs or in the job itself. */
export function findIdTokenWish(workflow: YamlNode): IdTokenWish | undefined {
  const jobs = valueOf(workflow, 'jobs');
  const places = [workflow, ...(jobs?.kind === 'mapping' ? jobs.entries.map(({ value }) => value) : [])];
  if (places.some((place) => isScalar(valueOf(place, 'enable-openid-connect'), 'true'))) return 'enable-openid-connect';
  const isAllowed = places.some((place) => isScalar(valueOf(valueOf(place, 'permissions'), 'id-token'), 'write'));
  return isAllowed ? 'permissions' : undefined;
}

/** Why a job that asks for identity tokens has none; undefined where it does not ask, or has them. */
export function idTokenHint(wish: IdTokenWish | undefined, facts: ServerFacts): string | undefined {
  if (wish === undefined || facts.idTokenRequest !== undefined) return undefined;
  const none = 'This job gets no identity tokens';
  if (wish === 'permissions')
    return `${none}: on Forgejo, enable-openid-connect: true asks for them, and not permissions`;
  const found = facts.serverVersion === undefined ? '' : `; this one is ${facts.serverVersion}`;
  return `${none}, although it sets enable-openid-connect: instances have them from Forgejo 15 on${found}`;
}

function isScalar(node: YamlNode | undefined, text: string): boolean {
  return node?.kind === 'scalar' && String(node.value) === text;
}

function valueOf(node: YamlNode | undefined, key: string): YamlNode | undefined {
  if (node?.kind !== 'mapping') return undefined;
  return node.entries.find((entry) => entry.key === key)?.value;
}
