import { quoted, shown, UserError } from '../user-error.ts';
import { NpmFailure } from './npm.ts';

const networkCodes = new Set([
  'ENOTFOUND',
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ERR_SOCKET_TIMEOUT',
  'FETCH_ERROR',
  'EIDLETIMEOUT',
  'ECONNECTIONTIMEOUT',
  'ERESPONSETIMEOUT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_HAS_EXPIRED',
  'E500',
  'E502',
  'E503',
  'E504',
]);

/**
 * Says in our words what npm failed at. `wanted` is the package that was asked for; npm names another one when a
 * dependency is the reason.
 */
export function translateNpmFailure(error: unknown, wanted: string): Error {
  if (!(error instanceof NpmFailure)) return error instanceof Error ? error : new Error(String(error));
  const details = shown(`${error.summary}\n${error.detail}\n${error.output}`, 8000);
  const make = (code: UserError['code'], message: string, next?: string): UserError =>
    new UserError(code, message, { details, cause: error, ...(next === undefined ? {} : { next }) });
  const { npmCode } = error;
  if (npmCode === 'E404') return notFound(error, wanted, make);
  if (npmCode === 'ETARGET' || npmCode === 'ENOVERSIONS') return noVersion(error, wanted, make);
  if (npmCode === 'E401' || npmCode === 'E403' || npmCode === 'ENEEDAUTH') {
    return make('FRB310', `${wanted}: the registry refuses access (${npmCode}); ${shown(error.summary, 300)}`);
  }
  if (networkCodes.has(npmCode)) return unreachable(error, wanted, make);
  if (['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM'].includes(npmCode)) {
    return make('FRB604', `${wanted} could not be installed: ${shown(error.summary, 300)}`);
  }
  if (npmCode === 'EINTEGRITY') {
    return make(
      'FRB305',
      `${integrityPackage(error) ?? wanted}: content does not match its checksum; nothing was built`,
    );
  }
  if (npmCode === 'ERESOLVE') return conflict(error, wanted, make);
  if (/git/i.test(error.summary) || npmCode === '128') {
    return make('FRB312', `${wanted}: git failed; ${shown(error.summary, 400)}`);
  }
  return make('FRB309', `${wanted}: npm failed with ${npmCode}; ${shown(error.summary, 400)}`);
}

type Make = (code: UserError['code'], message: string, next?: string) => UserError;

function notFound(error: NpmFailure, wanted: string, make: Make): UserError {
  const missing = /'((?:@[^/']+\/)?[^@']+)@[^']*'/.exec(error.detail)?.[1];
  const url = /(https?:\/\/[^\s]+)/.exec(error.summary)?.[1];
  const registry = url === undefined ? 'the registry' : new URL(url).origin;
  const name = missing ?? wanted;
  const forWhom = name === nameOf(wanted) ? '' : `, which ${wanted} depends on`;
  const scope = /^(@[^/]+)\//.exec(name)?.[1];
  const next =
    scope === undefined || scope === '@forgejo-runner'
      ? undefined
      : `check the name; if it is private, tell npm its registry in .npmrc (${scope}:registry=URL) and log in`;
  return make('FRB304', `${quoted(name)} is not at ${registry}${forWhom}`, next);
}

function noVersion(error: NpmFailure, wanted: string, make: Make): UserError {
  const missing =
    /No (?:matching version found|versions available) for (\S+?)\.?(?:\s|$)/.exec(`${error.summary} `)?.[1] ?? wanted;
  const forWhom = missing === wanted ? '' : `, which ${wanted} depends on`;
  // What is left when npm does not count the young ones; it does not say so in the second case.
  const isTooFresh = /with a date before/.test(error.summary) || error.npmCode === 'ENOVERSIONS';
  if (!isTooFresh) return make('FRB306', `no version fits ${quoted(missing)}${forWhom}`);
  const next = `wait, or accept the risk: --allow-fresh ${nameOf(missing)}`;
  return make('FRB318', `no version of ${nameOf(missing)} is old enough${forWhom}`, next);
}

function unreachable(error: NpmFailure, wanted: string, make: Make): UserError {
  const url =
    /request to (https?:\/\/[^\s]+?)\/? failed/.exec(error.summary)?.[1] ??
    /(https?:\/\/[^\s]+)/.exec(error.summary)?.[1];
  const registry = url === undefined ? 'the registry' : new URL(url).origin;
  return make('FRB307', `${wanted} could not be looked up: ${registry} does not answer (${error.npmCode})`);
}

function integrityPackage(error: NpmFailure): string | undefined {
  const url = /(https?:\/\/\S+\.tgz)/.exec(`${error.summary} ${error.detail} ${error.output}`)?.[1];
  return url === undefined
    ? undefined
    : decodeURIComponent(new URL(url).pathname.slice(1)).replace(/\/-\/.*-(\d.*)\.tgz$/, '@$1');
}

function conflict(error: NpmFailure, wanted: string, make: Make): UserError {
  const text = `${error.summary}\n${error.detail}\n${error.output}`;
  // "peer zod@"^3" from @acme/a@1.0.0" is the line that says who wants what.
  const peers = [...text.matchAll(/peer(?:Optional)? (\S+?)@"([^"]+)" from (\S+)/g)];
  const lines = [...new Set(peers.map((match) => `${match[3]} needs ${match[1]} ${match[2]}`))];
  const found = /Found: (\S+)/.exec(text)?.[1];
  const what = lines.length === 0 ? shown(error.summary, 400) : lines.slice(0, 4).join('; ');
  return make('FRB308', `${wanted}: ${what}${found === undefined ? '' : `; found ${found}`}`);
}

function nameOf(wanted: string): string {
  const at = wanted.indexOf('@', 1);
  return at === -1 ? wanted : wanted.slice(0, at);
}
