import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { formatLabel, isBackendError, type LabelConfiguration, parseLabel } from '@forgejo-runner/core';
import { loadConfig } from '../config/load.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { readRunnerFile, writeRunnerFile } from '../config/runner-file.ts';
import { InstanceError } from '../forgejo/failures.ts';
import { clientTimeoutMs, type InstanceClient, openInstanceClient } from '../forgejo/instance-client.ts';
import { readInstanceUrl } from '../forgejo/instance-url.ts';
import { registerRunner } from '../forgejo/register-runner.ts';
import type { Io } from '../io.ts';
import { BackOff } from '../poll/back-off.ts';
import { pause } from '../poll/pause.ts';
import { quoted, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';

/** What `register` was asked for. */
export interface RegisterFlags {
  readonly config?: string;
  /** False for `--no-interactive`. */
  readonly interactive: boolean;
  readonly instance?: string;
  readonly token?: string;
  readonly name?: string;
  /** Separated by commas. */
  readonly labels?: string;
  readonly ephemeral?: boolean;
}

/** As the Go runner has it for a runner without labels. */
const defaultLabels = 'docker:docker://data.forgejo.org/oci/node:20-bullseye';

/** `register`: makes a runner on an instance, and keeps its identity in a file. */
export async function register(flags: RegisterFlags, { io }: CommandContext): Promise<number> {
  const { config: path } = flags;
  const config = await loadConfig(path === undefined ? undefined : resolve(io.cwd, path), { cwd: io.cwd, env: io.env });
  const file = resolve(io.cwd, config.runner.file);
  const answers = flags.interactive ? await ask(flags, file, config, io) : given(flags);
  if (answers === undefined) return exitCodes.failure;
  const labels = labelsOf(answers.labels, config, io);
  const address = readInstanceUrl(answers.instance);
  using client = openInstanceClient({
    address,
    headers: {},
    codec: 'json',
    insecure: config.runner.insecure,
    env: io.env,
    timeoutMs: clientTimeoutMs(io.env),
  });
  await untilReachable(client, io);
  const names = labels.map(({ name }) => name);
  const { name, token: registrationToken } = answers;
  const asked = { registrationToken, name, labels: names, ephemeral: flags.ephemeral === true };
  const runner = await registerRunner(client, asked, io.signal).catch((error: unknown) => {
    throw error instanceof InstanceError ? error.toUserError() : error;
  });
  const { uuid, token } = runner;
  const content = { id: Number(runner.id), uuid, token, name: runner.name || name, address: answers.instance };
  await writeRunnerFile(file, { ...content, labels: labels.map((label) => formatLabel(label)) }, io.cwd);
  io.stdout.write(
    `Runner ${quoted(content.name)} is registered at ${address.shown}; its identity is in ${quoted(file)}\n`,
  );
  return exitCodes.success;
}

interface Answers {
  readonly instance: string;
  readonly token: string;
  readonly name: string;
  readonly labels?: string;
}

function given({ instance = '', token = '', name, labels }: RegisterFlags): Answers {
  const missing = Object.entries({ '--instance': instance, '--token': token }).filter(([, value]) => value === '');
  if (missing.length > 0) {
    throw new UserError('FRR101', {
      problems: missing.map(([flag]) => ({ message: `expected the flag ${flag} with --no-interactive, found none` })),
      next: 'the settings of the instance, an owner or a repository show a registration token under Actions, Runners',
    });
  }
  return { instance, token, name: name || hostname(), ...(labels === undefined ? {} : { labels }) };
}

/** Asks on the terminal, or whatever writes to us, for what no flag says. Undefined where the answer is no. */
async function ask(flags: RegisterFlags, file: string, config: RunnerConfig, io: Io): Promise<Answers | undefined> {
  using lines = readLines(io);
  // What is there but cannot be read is replaced as well, if that is the answer.
  const before = await readRunnerFile(file, io.cwd).catch(() => 'unreadable');
  if (before !== undefined) {
    const answer = await lines.ask(`${quoted(file)} has the identity of a runner already. Replace it? [y/N] `);
    if (!/^(?:y|yes)$/i.test(answer)) return undefined;
  }
  const instance = await lines.until(
    flags.instance,
    'Address of the instance, such as https://forgejo.example: ',
    (url) => {
      readInstanceUrl(url);
    },
  );
  const token = await lines.until(flags.token, 'Registration token: ', (text) => {
    if (text === '') throw new UserError('FRR101', { problems: [{ message: 'expected a token' }] });
  });
  const name = flags.name || (await lines.ask(`Name of the runner [${hostname()}]: `)) || hostname();
  if (config.labels.length > 0)
    return { instance, token, name, ...(flags.labels === undefined ? {} : { labels: flags.labels }) };
  const labels = await lines.until(flags.labels, `Labels, separated by commas [${defaultLabels}]: `, (text) => {
    parseLabels(text || defaultLabels);
  });
  return { instance, token, name, labels };
}

interface Lines extends Disposable {
  readonly ask: (question: string) => Promise<string>;
  /** The flag, or the first answer that `check` does not refuse. */
  readonly until: (flag: string | undefined, question: string, check: (answer: string) => void) => Promise<string>;
}

function readLines({ stdin, stdout, signal }: Io): Lines {
  const reader = createInterface({ input: stdin, signal });
  const lines = reader[Symbol.asyncIterator]();
  const next = async (question: string): Promise<string> => {
    stdout.write(question);
    const line = await lines.next();
    signal.throwIfAborted();
    if (line.done !== true) return line.value.trim();
    throw new UserError('FRR101', {
      problems: [{ message: 'expected an answer, found the end of the input' }],
      next: 'give the answers as flags, with --no-interactive',
    });
  };
  return {
    ask: next,
    until: async (flag, question, check) => {
      if (flag !== undefined) return flag;
      for (;;) {
        const answer = await next(question);
        try {
          check(answer);
          return answer;
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          stdout.write(`${error.message}\n`);
        }
      }
    },
    [Symbol.dispose]: () => reader.close(),
  };
}

/** Labels of the configuration win, because `daemon` goes by them. */
function labelsOf(flag: string | undefined, { labels }: RunnerConfig, io: Io): readonly LabelConfiguration[] {
  const configured = labels.filter(({ connection }) => connection === undefined);
  if (configured.length === 0) return parseLabels(flag || defaultLabels);
  if (flag) io.stderr.write('warning: --labels changes nothing, because the configuration has runner.labels\n');
  return configured;
}

function parseLabels(text: string): readonly LabelConfiguration[] {
  const labels: LabelConfiguration[] = [];
  const problems: { readonly message: string }[] = [];
  for (const part of text.split(',').map((one) => one.trim())) {
    try {
      if (part !== '') labels.push(parseLabel(part));
    } catch (error) {
      if (!isBackendError(error)) throw error;
      problems.push({ message: error.message });
    }
  }
  if (problems.length > 0) throw new UserError('FRR202', { problems, next: 'docs/reference/labels.md has their form' });
  return labels;
}

/** Waits for an instance that does not run yet, as long as that makes sense. @throws {UserError} where it does not. */
export async function untilReachable(client: InstanceClient, io: Pick<Io, 'signal' | 'stderr'>): Promise<void> {
  const backOff = new BackOff({ firstMs: 1000, mostMs: 10_000 });
  for (let shown = ''; ; ) {
    try {
      await client.ping(io.signal);
      return;
    } catch (error) {
      io.signal.throwIfAborted();
      if (!(error instanceof InstanceError)) throw error;
      if (error.failure.isRefused) throw error.toUserError();
      if (error.message !== shown) io.stderr.write(`${error.message}; trying again\n`);
      shown = error.message;
      await pause(backOff.failed(error.failure), io.signal);
      io.signal.throwIfAborted();
    }
  }
}
