import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { runChild } from '../run-child.ts';
import { UserError } from '../user-error.ts';
import { makeRedactor, npmEnvironment, readNpmConfig } from './npm-config.ts';

/** The npm command line, as the user's configuration and environment make it. */
export interface Npm {
  /** Runs npm. `name` says what for, in errors. Returns the parsed `--json` output. @throws NpmFailure */
  readonly run: (args: readonly string[], dir: string, signal: AbortSignal) => Promise<unknown>;
  /** Folder that the user called us in: its `.npmrc` counts. */
  readonly cwd: string;
  /** The user's configuration says how old versions have to be. */
  readonly hasReleaseAge: boolean;
  /** `.npmrc` of the user's project, for installations elsewhere. */
  readonly projectFile: string | undefined;
  readonly redact: (text: string) => string;
  readonly env: Readonly<Record<string, string>>;
}

/** What npm said when it failed, without secrets. */
export class NpmFailure extends Error {
  override readonly name: string = 'NpmFailure';
  /** npm's own code: `E404`, `ERESOLVE`, … or an errno. */
  readonly npmCode: string;
  readonly summary: string;
  readonly detail: string;
  readonly output: string;

  constructor(said: {
    readonly npmCode: string;
    readonly summary: string;
    readonly detail: string;
    readonly output: string;
  }) {
    super(`npm: ${said.npmCode} ${said.summary}`);
    this.npmCode = said.npmCode;
    this.summary = said.summary;
    this.detail = said.detail;
    this.output = said.output;
  }
}

/**
 * Finds npm's own script: the one that started us, the one beside this Node, the one on PATH. It is run with this Node,
 * because npm chooses versions that fit the Node it runs on.
 *
 * @throws UserError `FRB311`
 */
export function findNpm(
  env: Readonly<Record<string, string | undefined>>,
  nodePath: string = process.execPath,
): string {
  const beside = path.dirname(nodePath);
  const candidates = [
    env['npm_execpath'],
    path.join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    path.join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    ...(env['PATH'] ?? env['Path'] ?? '').split(path.delimiter).flatMap((dir) => (dir === '' ? [] : onPath(dir))),
  ];
  const found = candidates.find(
    (file) => file !== undefined && path.basename(file) === 'npm-cli.js' && existsSync(file),
  );
  if (found === undefined) {
    throw new UserError('FRB311', 'expected npm beside Node or on PATH, found none');
  }
  return found;
}

function onPath(dir: string): string[] {
  const inPlace = path.join(dir, 'node_modules', 'npm', 'bin', 'npm-cli.js');
  try {
    return [realpathSync(path.join(dir, 'npm')), inPlace];
  } catch {
    return [inPlace];
  }
}

const always = ['--json', '--loglevel=error', '--no-audit', '--no-fund', '--no-update-notifier'];

/** Opens npm for a build that was started in `cwd`. */
export function openNpm(cwd: string, env: Readonly<Record<string, string | undefined>>): Npm {
  const config = readNpmConfig(cwd, env);
  const redact = makeRedactor(config);
  const childEnv = npmEnvironment(config, env);
  const run: Npm['run'] = async ([command = '', ...rest], dir, signal) => {
    const result = await runChild(
      process.execPath,
      [findNpm(env), command, ...always, ...rest],
      { cwd: dir, env: childEnv },
      signal,
    );
    const value = parseJson(result.stdout);
    if (result.code === 0) return value;
    throw failure(value, redact(`${result.stderr}\n${value === undefined ? result.stdout : ''}`), redact);
  };
  return { run, cwd, hasReleaseAge: config.hasReleaseAge, projectFile: config.projectFile, redact, env: childEnv };
}

function failure(value: unknown, output: string, redact: (text: string) => string): NpmFailure {
  const error = ((value as { error?: unknown } | undefined)?.error ?? {}) as Record<string, unknown>;
  const text = (key: string): string => (typeof error[key] === 'string' ? redact(error[key]) : '');
  const code = text('code') || (/\bnpm error code (\w+)/.exec(output)?.[1] ?? 'UNKNOWN');
  return new NpmFailure({
    npmCode: code,
    summary: text('summary') || output.split('\n', 1)[0] || code,
    detail: text('detail'),
    output,
  });
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
