import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { CallContext } from '@forgejo-runner/core';
import type Docker from 'dockerode';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';

/** A process that is to be started in a container that runs. */
export interface ExecDraft {
  readonly container: string;
  readonly argv: readonly string[];
  /** Laid over the variables of the container, as `NAME=value`; Docker takes a variable away for `NAME` alone. */
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly hasStdin: boolean;
  /** Size of the terminal, where the process has one. */
  readonly tty: { readonly columns: number; readonly rows: number } | undefined;
}

/** How a process ended, as far as the engine tells. */
export interface ExecEnd {
  readonly code: number;
  /** Undefined where the engine does not tell. */
  readonly wasStarted: boolean | undefined;
}

/** A process in a container. */
export interface EngineExec {
  /** Its output, in frames unless it has a terminal; what is written to it is its input. */
  readonly stream: Duplex;
  /** Undefined while it runs. Rejects when the engine does not know it any more. */
  readonly end: () => Promise<ExecEnd | undefined>;
  readonly resize: (size: { readonly columns: number; readonly rows: number }) => Promise<void>;
}

/**
 * Starts a process in a container. Cancelling is heeded before the engine is told to start it, and not from then on.
 *
 * @throws BackendError for what the engine answers, `cancelled` when the process was never started.
 */
export async function startExec(
  { client, facts }: DockerEndpoint,
  draft: ExecDraft,
  ctx: Pick<CallContext, 'signal'>,
): Promise<EngineExec> {
  const { container } = draft;
  const exec = await askEngine({ doing: 'prepare a process', resource: container }, ctx, () =>
    client.getContainer(container).exec({
      Cmd: [...draft.argv],
      Env: [...draft.env],
      ...(draft.cwd === undefined ? {} : { WorkingDir: draft.cwd }),
      ...(draft.user === undefined ? {} : { User: draft.user }),
      Tty: draft.tty !== undefined,
      ...consoleSize(draft),
      AttachStdin: draft.hasStdin,
      AttachStdout: true,
      AttachStderr: true,
    }),
  );
  if (ctx.signal.aborted) ctx.signal.throwIfAborted();
  const stream = await startIt(exec, draft);
  // Who reads it sees the error; until somebody does, it must not end the process.
  stream.on('error', () => {});
  return {
    stream,
    end: async () => {
      const found = await exec.inspect();
      if (found.Running || found.ExitCode === null) return undefined;
      // Podman never says which process it was.
      return { code: found.ExitCode, wasStarted: facts.kind === 'docker' ? found.Pid !== 0 : undefined };
    },
    resize: async ({ columns, rows }) => {
      await askEngine({ doing: 'resize the terminal', resource: container }, noSignal, () =>
        exec.resize({ h: rows, w: columns }),
      );
    },
  };
}

/** The size from the first moment, for engines from version 1.42 of the interface on; others get it right after the start. */
function consoleSize({ tty }: ExecDraft): object {
  // Podman has names of its own for it.
  return tty === undefined ? {} : { ConsoleSize: [tty.rows, tty.columns], h: tty.rows, w: tty.columns };
}

const noSignal = { signal: new AbortController().signal };

function startIt(exec: Docker.Exec, draft: ExecDraft): Promise<Duplex> {
  return askEngine({ doing: 'start a process', resource: draft.container }, noSignal, () =>
    exec.start({
      hijack: true,
      stdin: draft.hasStdin,
      Tty: draft.tty !== undefined,
      Detach: false,
      ...consoleSize(draft),
    }),
  );
}

const firstPauseMs = 5;
const longestPauseMs = 500;

/** Waits until a process has ended, whose output has. `whileRunning` is called now and then, and may reject. */
export async function endOf(
  exec: Pick<EngineExec, 'end'>,
  whileRunning: (forMs: number) => Promise<void>,
): Promise<ExecEnd> {
  const since = performance.now();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const end = await exec.end();
    if (end !== undefined) return end;
    await pause(pauseMs);
    await whileRunning(performance.now() - since);
  }
}
