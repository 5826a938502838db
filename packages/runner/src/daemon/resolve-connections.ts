import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isBackendError, type LabelConfiguration, parseLabel } from '@forgejo-runner/core';
import { placeOf } from '../config/config-place.ts';
import { type RunnerFile, readRunnerFile } from '../config/runner-file.ts';
import type { ConnectionSection, RunnerConfig } from '../config/runner-config.ts';
import { readSecretUrl } from '../config/secret-source.ts';
import { uuidPattern } from '../config/setting.ts';
import { type InstanceAddress, readInstanceUrl } from '../forgejo/instance-url.ts';
import { parseDuration } from '../plan/duration.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';

/** A connection on the command line. */
export interface ConnectionFlags {
  readonly url?: string;
  readonly uuid?: string;
  readonly tokenUrl?: string;
  readonly label?: readonly string[];
  readonly fetchInterval?: string;
}

/** A connection with all that is needed to open it. */
export interface ResolvedConnection {
  readonly name: string;
  readonly address: InstanceAddress;
  readonly uuid: string;
  readonly token: string;
  readonly fetchIntervalMs: number;
  readonly codec: 'json' | 'binary';
  readonly ca?: string;
  /** The file that the identity came from, to be kept up to date. */
  readonly file?: { readonly path: string; readonly content: RunnerFile };
}

/** Connections, and the labels of the configuration with those that connections bring along. */
export interface ResolvedConnections {
  readonly connections: readonly ResolvedConnection[];
  readonly labels: readonly LabelConfiguration[];
}

/** Where connections come from. */
export interface ConnectionSources {
  readonly config: RunnerConfig;
  readonly flags: ConnectionFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/**
 * Finds out which instances there are and who we are there: from flags, `server.connections`, or the file that `register`
 * wrote. Only one of them may say it.
 *
 * @throws {UserError} `FRR101`, `FRR102`, `FRR201` or `FRR202` with all that is wrong.
 */
export async function resolveConnections(sources: ConnectionSources): Promise<ResolvedConnections> {
  const { config, flags, cwd } = sources;
  const path = resolve(cwd, config.runner.file);
  const file = await readRunnerFile(path, cwd);
  const given = [
    ...(isGiven(flags) ? ['flags of the command line'] : []),
    ...(config.connections.size > 0 ? ['server.connections'] : []),
    ...(file === undefined ? [] : [`the file ${quoted(config.runner.file)}`]),
  ];
  if (given.length > 1) {
    const message = `expected connections from one source, found ${given.join(' and ')}`;
    throw new UserError('FRR201', { problems: [{ message }], next: 'leave out all but one of them' });
  }
  if (isGiven(flags)) return fromFlags(flags, sources);
  if (config.connections.size > 0) return fromConfig(sources);
  if (file !== undefined) return fromFile(path, file, sources);
  throw new UserError('FRR201', {
    problems: [
      { message: `expected a connection, found neither server.connections nor ${quoted(config.runner.file)}` },
    ],
    next: 'create a runner on the instance and write its url, uuid and token to server.connections, or run forgejo-runner register',
  });
}

function isGiven({ url, uuid, tokenUrl, label = [], fetchInterval }: ConnectionFlags): boolean {
  return [url, uuid, tokenUrl, fetchInterval].some((flag) => flag !== undefined) || label.length > 0;
}

async function fromFlags(flags: ConnectionFlags, sources: ConnectionSources): Promise<ResolvedConnections> {
  const problems: Problem[] = [];
  const { url = '', uuid = '', tokenUrl = '', label: texts = [], fetchInterval } = flags;
  const missing = Object.entries({ '--url': url, '--uuid': uuid, '--token-url': tokenUrl });
  for (const [flag, value] of missing)
    if (value === '') problems.push({ message: `expected the flag ${flag} as well` });
  if (uuid !== '' && !uuidPattern.test(uuid)) {
    problems.push({ message: `--uuid: expected a UUID, found ${quoted(uuid)}` });
  }
  const intervalMs = fetchInterval === undefined ? undefined : parseDuration(fetchInterval);
  if (fetchInterval !== undefined && intervalMs === undefined) {
    problems.push({ message: `--fetch-interval: expected a duration such as 30s, found ${quoted(fetchInterval)}` });
  }
  const labels = readLabelTexts(texts, '--label', problems).map((label) => ({ ...label, connection: 'default' }));
  if (tokenUrl !== '' && !tokenUrl.startsWith('file:')) {
    problems.push({ message: `--token-url: expected a file: URL, found something else` });
  }
  if (problems.length > 0) {
    throw new UserError('FRR101', { problems, next: 'forgejo-runner daemon --help shows what is possible' });
  }
  const token = checkedToken(await readSecretUrl(tokenUrl, { ...sources, subject: '--token-url' }), '--token-url');
  const section: ConnectionSection = { url, uuid, codec: 'json' };
  const connection = resolved('default', section, token, intervalMs, sources);
  return { connections: [connection], labels: [...sources.config.labels, ...labels] };
}

async function fromConfig(sources: ConnectionSources): Promise<ResolvedConnections> {
  const { config } = sources;
  const problems: Problem[] = [];
  const connections: ResolvedConnection[] = [];
  for (const [name, section] of config.connections) {
    try {
      if (!uuidPattern.test(section.uuid)) problems.push(wrongUuid(name, section.uuid, sources));
      const token = await tokenOf(name, section, sources);
      const ca = await authorityOf(name, section, sources);
      const connection = resolved(name, section, token, section.fetchIntervalMs, sources);
      connections.push({ ...connection, ...(ca === undefined ? {} : { ca }) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new UserError('FRR201', { problems, next: 'docs/reference/config.md has all keys' });
  return { connections, labels: config.labels };
}

function fromFile(path: string, content: RunnerFile, sources: ConnectionSources): ResolvedConnections {
  const { config } = sources;
  const problems: Problem[] = [];
  const own = config.labels.length > 0 ? [] : readLabelTexts(content.labels, config.runner.file, problems);
  if (problems.length > 0) {
    throw new UserError('FRR202', { problems, next: 'correct the labels there, or set runner.labels' });
  }
  const section: ConnectionSection = { url: content.address, uuid: content.uuid, codec: 'json' };
  const connection = resolved(content.name || 'default', section, content.token, undefined, sources);
  return { connections: [{ ...connection, file: { path, content } }], labels: [...config.labels, ...own] };
}

function readLabelTexts(texts: readonly string[], subject: string, problems: Problem[]): LabelConfiguration[] {
  return texts.flatMap((text) => {
    try {
      return [parseLabel(text)];
    } catch (error) {
      if (!isBackendError(error)) throw error;
      problems.push({ message: `${subject}: ${error.message}` });
      return [];
    }
  });
}

/** Codeberg asks runners not to ask more often. */
const seldom = { host: /(?:^|\.)codeberg\.org$/i, intervalMs: 30_000 };

function resolved(
  name: string,
  { url, uuid, codec }: ConnectionSection,
  token: string,
  intervalMs: number | undefined,
  sources: ConnectionSources,
): ResolvedConnection {
  const { runner } = sources.config;
  const address = addressOf(name, url, sources);
  const wanted = intervalMs || runner.fetchIntervalMs;
  const isSeldom = seldom.host.test(URL.parse(address.baseUrl)?.hostname ?? '');
  const fetchIntervalMs = isSeldom ? Math.max(wanted, seldom.intervalMs) : wanted;
  return { name, address, uuid: uuid.toLowerCase(), token, codec, fetchIntervalMs };
}

function addressOf(name: string, url: string, sources: ConnectionSources): InstanceAddress {
  try {
    return readInstanceUrl(url);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const at = keyPlace(name, 'url', sources);
    throw new UserError(error.code, {
      problems: error.problems.map(({ message }) => (at === undefined ? { message } : { message, at })),
      cause: error,
    });
  }
}

async function tokenOf(name: string, section: ConnectionSection, sources: ConnectionSources): Promise<string> {
  if (section.token !== undefined) return section.token;
  const subject = `server.connections.${name}.token_url`;
  const at = keyPlace(name, 'token_url', sources);
  const place = at === undefined ? {} : { at };
  return checkedToken(await readSecretUrl(section.tokenUrl ?? '', { ...sources, subject, ...place }), subject, at);
}

function checkedToken(token: string, subject: string, at?: Place): string {
  if (/^[A-Za-z0-9]+$/.test(token)) return token;
  const message = `${subject}: expected a token of letters and digits in the file, found something else`;
  throw new UserError('FRR201', { problems: [at === undefined ? { message } : { message, at }] });
}

async function authorityOf(
  name: string,
  { caFile }: ConnectionSection,
  sources: ConnectionSources,
): Promise<string | undefined> {
  if (caFile === undefined) return undefined;
  const at = keyPlace(name, 'ca_file', sources);
  const found = await readFile(resolve(sources.cwd, caFile), 'utf8').catch(
    (error: NodeJS.ErrnoException) => error.code ?? 'another error',
  );
  if (found.includes('-----BEGIN CERTIFICATE-----')) return found;
  const what = /^\w+$/.test(found) ? found : 'no certificate in it';
  const message = `server.connections.${name}.ca_file: expected a PEM file with certificates at ${quoted(caFile)}, found ${what}`;
  throw new UserError('FRR102', { problems: [at === undefined ? { message } : { message, at }] });
}

function wrongUuid(name: string, uuid: string, sources: ConnectionSources): Problem {
  const at = keyPlace(name, 'uuid', sources);
  const message = `server.connections.${name}.uuid: expected a UUID, found ${quoted(uuid)}`;
  return at === undefined ? { message } : { message, at };
}

function keyPlace(name: string, key: string, { config }: ConnectionSources): Place | undefined {
  return placeOf(config.source, ['server', 'connections', name, key]);
}
