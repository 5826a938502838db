import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { pipeline } from 'node:stream/promises';
import type {
  Backend,
  BackendFactory,
  EnvironmentInfo,
  ExecHandle,
  ExecRequest,
  ExecResult,
  ExecutionEnvironment,
  OutputSink,
  SweepRequest,
  Target,
} from '@forgejo-runner/core';
import { endProcesses, newMarker, packTar } from '@forgejo-runner/kit';
import type { CheckId, ConformanceOptions } from '../src/index.ts';
import { referenceSubject } from './reference-subject.ts';

/** A backend that is broken on purpose, and the check that has to say so. */
export interface Mutant {
  readonly does: string;
  readonly caughtBy: CheckId;
  /** What the check has to find. */
  readonly finding: RegExp;
  readonly subject: () => ConformanceOptions;
}

type Exec = Target['exec'];
/** Each wraps what it gets, so that one mutant is one difference. */
export interface Wraps {
  readonly exec?: (exec: Exec, environment: ExecutionEnvironment) => Exec;
  readonly target?: (target: Target, environment: ExecutionEnvironment) => Partial<Target>;
  readonly environment?: (environment: ExecutionEnvironment) => Partial<ExecutionEnvironment>;
  readonly backend?: (backend: Backend, all: Set<ExecutionEnvironment>) => Partial<Backend>;
  readonly factory?: (factory: BackendFactory) => Partial<BackendFactory>;
}

function mutant(does: string, [caughtBy, finding]: readonly [CheckId, RegExp], wraps: Wraps): Mutant {
  return { does, caughtBy, finding, subject: () => changed(referenceSubject(), wraps) };
}

/** Options of the suite whose backend does some things in another way. */
export function changed(subject: ConformanceOptions, wraps: Wraps): ConformanceOptions {
  const all = new Set<ExecutionEnvironment>();
  const wrapTarget = (target: Target, environment: ExecutionEnvironment): Target => {
    const other = { ...target, ...wraps.target?.(target, environment) };
    return { ...other, exec: wraps.exec?.(other.exec, environment) ?? other.exec };
  };
  const wrapEnvironment = (made: ExecutionEnvironment): ExecutionEnvironment => {
    const { target } = made;
    const environment = { ...made, ...(target === undefined ? {} : { target: wrapTarget(target, made) }) };
    all.add(made);
    return { ...environment, ...wraps.environment?.(environment) };
  };
  const create: BackendFactory['create'] = async (input, ctx) => {
    const made = await subject.factory.create(input, ctx);
    const backend: Backend = {
      ...made,
      createEnvironment: async (request, call) => wrapEnvironment(await made.createEnvironment(request, call)),
    };
    return { ...backend, ...wraps.backend?.(backend, all) };
  };
  const factory = { ...subject.factory, create };
  return { ...subject, factory: { ...factory, ...wraps.factory?.(factory) } };
}

/** Changes what an exec is asked for. */
function asking(change: (request: ExecRequest, environment: ExecutionEnvironment) => ExecRequest): Wraps {
  return { exec: (exec, environment) => (request, ctx) => exec(change(request, environment), ctx) };
}

/** Changes what an exec results in. */
function resulting(change: (result: Promise<ExecResult>) => Promise<ExecResult>): Wraps {
  return {
    exec: (exec) => (request, ctx) => {
      const handle = exec(request, ctx);
      return { ...handle, result: change(handle.result) };
    },
  };
}

/** Changes what a sweep is asked for. */
function sweeping(change: (request: SweepRequest) => SweepRequest): Wraps {
  return { backend: (backend) => ({ sweep: (request, ctx) => backend.sweep(change(request), ctx) }) };
}

/** On what mutants start by themselves, and forget. */
const marker = newMarker('MUTANT');

/** Ends what mutants left. */
export async function endMutants(): Promise<void> {
  await endProcesses({ marker, stages: [{ signal: 'SIGKILL', graceMs: 0 }] });
}

// oxlint-disable-next-line require-yield -- it never has anything to give
async function* silent(): AsyncGenerator<Uint8Array> {
  await new Promise(() => {});
}

const never = new AbortController().signal;
const sharedTemp = tmpdir();

/** Keeps what comes after the last end of line back, and forgets it. */
function withoutLastLine(sink: OutputSink): OutputSink {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    const all = Buffer.concat([rest, chunk]);
    const end = all.lastIndexOf(0x0a) + 1;
    rest = all.subarray(end);
    return end === 0 ? undefined : sink(all.subarray(0, end));
  };
}

/** Takes everything at once. */
function hoarding(sink: OutputSink): OutputSink {
  let last: PromiseLike<void> | void;
  return (chunk) => {
    const copy = Uint8Array.from(chunk);
    last = Promise.resolve(last).then(() => sink(copy));
  };
}

async function copyByTar(dest: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
  const child = spawn('sh', ['-c', 'mkdir -p "$0" && tar -xPf - -C "$0"', dest], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(child, 'exit');
  await pipeline(tar, child.stdin).catch(() => {});
  await ended;
}

/** Starts a process and knows nothing but that one. */
function plainExec(request: ExecRequest, signal: AbortSignal): ExecHandle {
  const [program, ...args] = request.argv;
  const child = spawn(program, args, {
    cwd: request.cwd,
    env: { ...request.env, ...marker.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', (chunk: Buffer) => void request.stdout(chunk));
  child.stderr.on('data', (chunk: Buffer) => void request.stderr(chunk));
  signal.addEventListener('abort', () => child.kill('SIGKILL'));
  const result = once(child, 'exit').then(([code]): ExecResult => {
    return signal.aborted ? { kind: 'stopped', survivors: 0 } : { kind: 'exited', code: Number(code) };
  });
  return { result, signal: async () => {} };
}

const infoWith = (info: Partial<EnvironmentInfo>): Wraps => ({
  environment: (environment) => ({ info: { ...environment.info, ...info } }),
});

/** One difference each. */
export const mutants: readonly Mutant[] = [
  mutant('takes any configuration', ['C02', /unknown key/], {
    factory: () => ({
      configSchema: { '~standard': { version: 1, vendor: 'mutant', validate: (value) => ({ value: value ?? {} }) } },
    }),
  }),
  mutant('reads the two forms of a label differently', ['C03', /mapping form/], {
    backend: (backend) => ({
      resolveLabel: async (label, ctx) => ({ ...(await backend.resolveLabel(label, ctx)), canonical: label.form }),
    }),
  }),
  mutant('crashes at labels that it does not expect', ['C04', /expected BackendError "label", found TypeError/], {
    backend: (backend) => ({
      resolveLabel: async (label, ctx) => {
        if (Object.keys(label.options).length > 2) throw new TypeError('too many');
        return backend.resolveLabel(label, ctx);
      },
    }),
  }),
  mutant('claims a capability that it lacks', ['C05', /sharedPath: expected a method/], {
    target: () => ({ sharedPath: undefined as never }),
  }),
  mutant('shares state between backends', ['C06', /./], {
    backend: (backend, all) => ({
      [Symbol.asyncDispose]: async () => {
        for (const environment of all) await environment[Symbol.asyncDispose]();
        await backend[Symbol.asyncDispose]();
      },
    }),
  }),
  mutant('is never well', ['C07', /"down"/], { backend: () => ({ health: async () => ({ status: 'down' }) }) }),
  mutant('leaks an environment and says that it is removed', ['C10', /nothing more on the platform/], {
    environment: ({ name }) => ({ remove: async () => ({ removed: [name], leaked: [] }) }),
  }),
  mutant('says that it is another system', ['C11', /uname -s/], infoWith({ os: 'Windows' })),
  mutant('does not notice an abort while it makes an environment', ['C13', /cancelled/], {
    backend: (backend) => ({
      createEnvironment: (request, ctx) => backend.createEnvironment(request, { ...ctx, signal: never }),
    }),
  }),
  mutant('takes a name twice', ['C14', /name is taken/], {
    backend: (backend) => {
      let count = 0;
      return {
        createEnvironment: (request, ctx) => {
          count += 1;
          return backend.createEnvironment({ ...request, name: `${request.name}-${count}` }, ctx);
        },
      };
    },
  }),
  mutant('calls a lost exec a success', ['C15', /no success/], {
    ...resulting((result) => result.catch(() => ({ kind: 'exited', code: 0 }))),
  }),
  mutant('cannot remove twice', ['C15', /twice/], {
    environment: (environment) => {
      let isRemoved = false;
      const remove: ExecutionEnvironment['remove'] = async (ctx) => {
        if (isRemoved) throw new Error('removed twice');
        isRemoved = true;
        return environment.remove(ctx);
      };
      return { remove };
    },
  }),
  mutant('gives up its removal with the signal', ['C16', /aborted/], {
    environment: (environment) => ({
      remove: async (ctx) => {
        ctx.signal.throwIfAborted();
        return environment.remove(ctx);
      },
    }),
  }),
  mutant('calls the end of a killed environment an exit code', ['C18', /lost/], {
    ...resulting((result) => result.catch(() => ({ kind: 'exited', code: 137 }))),
  }),
  mutant('tells every failure as 1', ['C20', /exit 2/], {
    ...resulting(async (result) => {
      const found = await result;
      return found.kind === 'exited' && found.code > 1 ? { kind: 'exited', code: 1 } : found;
    }),
  }),
  mutant('joins arguments in a shell', ['C23', /arguments|exit with 0/], {
    ...asking((request) => ({ ...request, argv: ['sh', '-c', request.argv.map((one) => `"${one}"`).join(' ')] })),
  }),
  mutant('adds a variable of its own', ['C24', /nobody asked for/], {
    ...asking((request) => ({ ...request, env: { ...request.env, CI_MUTANT: '1' } })),
  }),
  mutant("hands on the runner's environment", ['C26', /given none/], {
    ...asking((request) => ({ ...request, env: { ...(process.env as Record<string, string>), ...request.env } })),
  }),
  mutant('puts variables on a command line', ['C27', /command line/], {
    ...asking((request) => {
      const words = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
      // As `docker exec --env` and `ssh` are used too often.
      return { ...request, argv: ['sh', '-c', 'shift $0; "$@"', String(words.length), ...words, ...request.argv] };
    }),
  }),
  mutant('runs somewhere else where the folder is missing', ['C28', /not there/], {
    ...asking((request, { info }) => {
      return request.cwd.endsWith('not-there') ? { ...request, cwd: info.paths.workspace } : request;
    }),
  }),
  mutant('mixes stderr into stdout', ['C30', /lines of "o"/], {
    ...asking((request) => ({ ...request, stderr: request.stdout })),
  }),
  mutant('loses the last line', ['C31', /first/], {
    ...asking((request) => ({ ...request, stdout: withoutLastLine(request.stdout) })),
  }),
  mutant('turns line ends around', ['C32', /SHA-256/], {
    ...asking((request) => ({
      ...request,
      stdout: (chunk) =>
        request.stdout(Buffer.from(Buffer.from(chunk).toString('latin1').replaceAll('\r\n', '\n'), 'latin1')),
    })),
  }),
  mutant('passes output on as text', ['C38', /no UTF-8/], {
    ...asking((request) => ({
      ...request,
      stdout: (chunk) => request.stdout(Buffer.from(Buffer.from(chunk).toString('utf8'))),
    })),
  }),
  mutant('buffers without a bound', ['C33', /wait for the sink/], {
    ...asking((request) => ({ ...request, stdout: hoarding(request.stdout) })),
  }),
  mutant('swallows the error of a sink', ['C34', /sink is broken|an exec whose sink fails/], {
    ...asking((request) => ({
      ...request,
      stdout: async (chunk) => {
        try {
          await request.stdout(chunk);
        } catch {
          // Gone.
        }
      },
    })),
  }),
  mutant('waits for children in the background', ['C36', /within/], {
    exec:
      () =>
      (request, { signal }) => {
        const [program, ...args] = request.argv;
        const child = spawn(program, args, {
          cwd: request.cwd,
          env: { ...request.env, ...marker.env },
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        child.stdout.on('data', (chunk: Buffer) => void request.stdout(chunk));
        signal.addEventListener('abort', () => child.stdout.destroy());
        return { result: once(child, 'close').then(() => ({ kind: 'exited', code: 0 })) };
      },
  }),
  mutant('leaves stdin open where there is none', ['C39', /stdin/], {
    ...asking((request) => {
      return request.stdin === undefined ? { ...request, stdin: silent() } : request;
    }),
  }),
  mutant('does not deliver signals', ['C41', /SIGINT/], {
    exec: (exec) => (request, ctx) => ({ ...exec(request, ctx), signal: async () => {} }),
  }),
  mutant('ignores a cancel', ['C42', /within/], {
    exec: (exec) => (request, ctx) => exec(request, { ...ctx, signal: never }),
  }),
  mutant('ends only the first process', ['C43', /gone/], {
    exec: () => (request, ctx) => plainExec(request, ctx.signal),
  }),
  mutant('kills at once', ['C44', /handlers/], {
    ...asking((request) => ({ ...request, stop: [{ signal: 'SIGKILL', graceMs: 0 }] })),
  }),
  mutant('runs what was cancelled before', ['C46', /signal had aborted/], {
    exec: (exec) => (request, ctx) => exec(request, ctx.signal.aborted ? { ...ctx, signal: never } : ctx),
  }),
  mutant('loses modes', ['C50', /./], {
    target: (target) => ({
      copyIn: async (request, ctx) => {
        await target.copyIn(request, ctx);
        spawn('chmod', ['-R', 'u=rw,go=r,+X', request.dest]);
        await once(spawn('chmod', ['-R', 'a+r', request.dest]), 'exit');
      },
    }),
  }),
  mutant('unpacks whatever an archive says', ['C52', /beside the destination/], {
    target: () => ({ copyIn: ({ dest, tar }) => copyByTar(dest, tar) }),
  }),
  mutant('takes half an archive for a whole one', ['C54', /expected a rejection/], {
    target: () => ({ copyIn: ({ dest, tar }) => copyByTar(dest, tar) }),
  }),
  mutant('gives nothing for what is not there', ['C55', /not there/], {
    target: (target) => ({
      copyOut: async function* (request, ctx) {
        try {
          yield* target.copyOut(request, ctx);
        } catch {
          // Nothing, then.
        }
      },
    }),
  }),
  mutant('knows no maxBytes', ['C55', /maxBytes/], {
    target: () => ({ copyOut: ({ src }, ctx) => packTar({ src }, ctx.signal) }),
  }),
  mutant('gives every environment one temporary folder', ['C70', /each one finds/], {
    environment: ({ info }) => ({ info: { ...info, paths: { ...info.paths, temp: sharedTemp } } }),
  }),
  mutant('removes all when it removes one', ['C72', /./], {
    backend: (backend, all) => ({
      createEnvironment: async (request, ctx) => {
        const environment = await backend.createEnvironment(request, ctx);
        return {
          ...environment,
          remove: async (call) => {
            for (const one of all) await one.remove(call);
            return { removed: [request.name], leaked: [] };
          },
        };
      },
    }),
  }),
  mutant('sweeps nothing', ['C81', /./], {
    backend: () => ({ sweep: async () => ({ removed: [], leaked: [], kept: [] }) }),
  }),
  mutant("sweeps other runners' environments", ['C81', /another runner|environment that/], {
    backend: (backend, all) => ({
      sweep: async (request, ctx) => {
        const report = await backend.sweep(request, ctx);
        if (!request.dryRun) for (const one of all) if (!request.keep.includes(one.name)) await one.remove(ctx);
        return report;
      },
    }),
  }),
  mutant(
    'sweeps what is to be kept',
    ['C81', /keep|kept/],
    sweeping((request) => ({ ...request, keep: [] })),
  ),
  mutant(
    'sweeps in a dry run',
    ['C81', /dry run/],
    sweeping((request) => ({ ...request, dryRun: false })),
  ),
  mutant('sweeps what another process works with', ['C82', /only-expired/], {
    ...sweeping((request) => ({ ...request, otherBoots: 'remove' })),
  }),
  mutant('throws errors of its own kind', ['C90', /branded/], {
    target: (target) => ({
      copyOut: async function* (request, ctx) {
        try {
          yield* target.copyOut(request, ctx);
        } catch (error) {
          throw new Error(String(error), { cause: error });
        }
      },
    }),
  }),
  mutant('begins events that it does not end', ['C91', /exec.end/], {
    exec:
      (exec, { name }) =>
      (request, ctx) => {
        ctx.emit({ type: 'exec.start', at: Date.now(), environment: name, attributes: {} });
        return exec(request, ctx);
      },
  }),
  mutant('tells values of a job in events', ['C91', /no value/], {
    exec:
      (exec, { name }) =>
      (request, ctx) => {
        ctx.emit({
          type: 'phase',
          at: Date.now(),
          environment: name,
          attributes: { env: JSON.stringify(request.env) },
        });
        return exec(request, ctx);
      },
  }),
];

/** Apart from the others: the clock of this process jumps for all of them. */
export const impatient: Mutant = mutant('times an exec by the wall clock', ['C92', /jumps by 1 h/], {
  exec: (exec) => (request, ctx) => {
    const stop = new AbortController();
    const end = Date.now() + 1_800_000;
    const timer = setInterval(() => {
      if (Date.now() > end) stop.abort();
    }, 50);
    const handle = exec(request, { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) });
    return { ...handle, result: handle.result.finally(() => clearInterval(timer)) };
  },
});

/** Apart from the others: a test framework ends its run at an error that nobody handled. */
export const forgetful: Mutant = mutant('forgets an error of a stream', ['C54', /nobody handled: Error: the pipe/], {
  target: (target) => ({
    copyIn: async (request, ctx) => {
      await target.copyIn(request, ctx).catch(async (error: unknown) => {
        void Promise.reject(new Error('the pipe'));
        throw error;
      });
    },
  }),
});
