import { type CallContext, BackendError } from '@forgejo-runner/core';
import type { DockerEndpoint } from './endpoint.ts';
import { readSmallFile } from './read-small-file.ts';

/** Who processes of a container run as. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** As the container's list of users has it; absent where the user is not in it. */
  readonly home?: string;
}

/**
 * Looks a user up in a container: `name`, `uid`, either with `:group`, or nothing for root.
 *
 * @throws BackendError `plan` for a name that the container does not know.
 */
export async function findContainerUser(
  endpoint: DockerEndpoint,
  { container, user, image }: { readonly container: string; readonly user: string; readonly image: string },
  ctx: CallContext,
): Promise<ContainerUser> {
  const users = (await readSmallFile(endpoint, { container, path: '/etc/passwd' }, ctx)) ?? '';
  const [wanted = '', wantedGroup = ''] = user.split(':');
  const needsGroups = wantedGroup !== '' && !isId(wantedGroup);
  const groups = needsGroups ? ((await readSmallFile(endpoint, { container, path: '/etc/group' }, ctx)) ?? '') : '';
  const found = pickUser({ user, users, groups });
  if (found !== undefined) return found;
  throw new BackendError('plan', `expected a user that image "${image}" knows, found "${user.slice(0, 200)}"`, {
    resource: wanted,
    hint: 'use a number, or make the user in the image',
  });
}

/** Undefined for a name that is in neither list. */
export function pickUser(lists: {
  readonly user: string;
  readonly users: string;
  readonly groups: string;
}): ContainerUser | undefined {
  const [wanted = '', wantedGroup = ''] = lists.user.split(':');
  const entry = linesOf(lists.users).find(([name, , uid]) =>
    wanted === '' ? uid === '0' : name === wanted || uid === wanted,
  );
  const [, , uidText = isId(wanted) ? wanted : wanted === '' ? '0' : '', gidText = '0', , home = ''] = entry ?? [];
  if (!isId(uidText) || !isId(gidText)) return undefined;
  const group = wantedGroup === '' ? gidText : groupId(wantedGroup, lists.groups);
  if (group === undefined) return undefined;
  return { uid: Number(uidText), gid: Number(group), ...(home.startsWith('/') && home !== '/' ? { home } : {}) };
}

function groupId(wanted: string, groups: string): string | undefined {
  if (isId(wanted)) return wanted;
  const id = linesOf(groups).find(([name]) => name === wanted)?.[2];
  return id !== undefined && isId(id) ? id : undefined;
}

function linesOf(list: string): readonly string[][] {
  return list.split('\n').map((line) => line.split(':'));
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}
