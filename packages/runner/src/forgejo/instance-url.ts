import { quoted, UserError } from '../user-error.ts';

/** Where an instance is. */
export interface InstanceAddress {
  /** For requests: without a slash at its end, with user and password where the address has them. */
  readonly baseUrl: string;
  /** For messages: without user and password. */
  readonly shown: string;
  readonly isTls: boolean;
  /** The instance listens on a socket of this machine. */
  readonly socketPath?: string;
}

const forms =
  'https://host, http://host, either with a port and a path, or unix:///path/of/socket, or http+unix://%2Fpath%2Fof%2Fsocket/path';

/**
 * Reads the address of an instance. A socket is written as `unix:///run/forgejo.sock`, or, for an instance below a path,
 * as `http+unix://%2Frun%2Fforgejo.sock/git`.
 *
 * @throws {UserError} `FRR201` for anything else.
 */
export function readInstanceUrl(text: string): InstanceAddress {
  const url = URL.parse(text.trim());
  const path = url?.pathname.replace(/\/+$/, '') ?? '';
  if (url?.protocol === 'unix:' && url.host === '' && path !== '') return atSocket(decodeURIComponent(path), '', text);
  if (url?.protocol === 'http+unix:' && url.host !== '') {
    const socketPath = decodeURIComponent(url.host);
    if (socketPath.startsWith('/')) return atSocket(socketPath, path, text);
  }
  const isTls = url?.protocol === 'https:';
  if (url === null || !(isTls || url.protocol === 'http:') || url.search !== '' || url.hash !== '') {
    throw new UserError('FRR201', {
      problems: [{ message: `expected the address of an instance (${forms}), found ${quoted(text)}` }],
    });
  }
  const login = url.username === '' ? '' : `${url.username}:${url.password}@`;
  const rest = `${url.host}${path}`;
  return { baseUrl: `${url.protocol}//${login}${rest}`, shown: `${url.protocol}//${rest}`, isTls };
}

function atSocket(socketPath: string, path: string, text: string): InstanceAddress {
  return { baseUrl: `http://localhost${path}`, shown: text.trim(), isTls: false, socketPath };
}
