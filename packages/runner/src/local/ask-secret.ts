import { StringDecoder } from 'node:string_decoder';
import { Interruption, type Io } from '../io.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';

/** What asking for a secret needs of the world. */
export type SecretIo = Pick<Io, 'stdin' | 'stderr' | 'env' | 'signal'>;

/**
 * Secrets of `--secret` flags by their upper-case names: `NAME=value`, or `NAME` alone for the variable of that name in
 * the environment, or else for what somebody types without it being shown.
 *
 * @throws {UserError} `FRR101` for wrong or repeated names, and where there is nobody to ask.
 */
export async function askSecrets(flags: readonly string[], io: SecretIo): Promise<ReadonlyMap<string, string>> {
  const given = flags.map(readFlag);
  const problems = [...wrongNames(given), ...unanswered(given, io)];
  if (problems.length > 0) {
    throw new UserError('FRR101', {
      problems,
      next: 'write --secret NAME=value, or set a variable NAME and write --secret NAME',
    });
  }
  const secrets = new Map<string, string>();
  for (const { name, value } of given) {
    secrets.set(name.toUpperCase(), value ?? fromEnvironment(name, io) ?? (await askHidden(name.toUpperCase(), io)));
  }
  return secrets;
}

interface Given {
  readonly name: string;
  readonly value?: string;
}

function readFlag(flag: string): Given {
  const equals = flag.indexOf('=');
  return equals < 0 ? { name: flag } : { name: flag.slice(0, equals), value: flag.slice(equals + 1) };
}

/** A name that is none may be a value by mistake, and is not shown. */
function wrongNames(given: readonly Given[]): readonly Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const { name } of given) {
    const upper = name.toUpperCase();
    if (!isName(name)) {
      problems.push({ message: 'expected the name of a secret of letters, digits and "_", found something else' });
    } else if (seen.has(upper)) {
      problems.push({ message: `the secret ${quoted(upper)} is given twice; names are the same in either case` });
    }
    seen.add(upper);
  }
  return problems;
}

function isName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

function unanswered(given: readonly Given[], io: SecretIo): readonly Problem[] {
  if (canAsk(io)) return [];
  return given
    .filter(({ name, value }) => value === undefined && isName(name) && fromEnvironment(name, io) === undefined)
    .map(({ name }) => ({
      message: `expected a value for the secret ${quoted(name)}, found no variable of that name and no terminal to ask`,
    }));
}

function fromEnvironment(name: string, io: SecretIo): string | undefined {
  return io.env[name] ?? io.env[name.toUpperCase()];
}

function canAsk(io: SecretIo): boolean {
  return io.stdin.isTTY === true && io.stdin.setRawMode !== undefined;
}

/** Reads a line in raw mode, where the terminal shows nothing and Ctrl-C is a character like any other. */
async function askHidden(name: string, io: SecretIo): Promise<string> {
  const { stdin, stderr, signal } = io;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const line: string[] = [];
  const decoder = new StringDecoder('utf8');
  const onData = (chunk: string | Uint8Array): void => {
    const text = Array.from(decoder.write(Buffer.from(chunk)));
    for (const [at, character] of text.entries()) {
      if (character === '\r' || character === '\n' || character === '\u0004') {
        resolve(line.join(''));
        stdin.pause();
        const rest = text.slice(at + 1).join('');
        // What was pasted beyond this line answers the next question.
        if (rest !== '') stdin.unshift(rest);
        return;
      }
      if (character === '\u0003') return reject(new Interruption('SIGINT'));
      if (character === '\u007f' || character === '\b') line.pop();
      else if (character === '\u0015') line.length = 0;
      else line.push(character);
    }
  };
  const onEnd = (): void => resolve(line.join(''));
  const onAbort = (): void => reject(signal.reason as Error);
  stderr.write(`Value of the secret ${name} (not shown): `);
  stdin.setRawMode?.(true);
  signal.addEventListener('abort', onAbort);
  stdin.on('data', onData).on('end', onEnd).resume();
  try {
    return await promise;
  } finally {
    stdin.off('data', onData).off('end', onEnd).pause();
    signal.removeEventListener('abort', onAbort);
    stdin.setRawMode?.(false);
    stderr.write('\n');
  }
}
