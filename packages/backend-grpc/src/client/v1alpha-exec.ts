import {
  BackendError,
  type CallContext,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
} from '@forgejo-runner/core';
import { DataChunk_Stream, type ExecOutput } from '../gen/plugin/v1alpha/plugin_pb.ts';
import type { ExecOutput as DraftOutput } from '../gen/plugin/v1alpha_draft/plugin_pb.ts';
import { errorOfStatus, plain } from '../platform-errors.ts';
import type { AlphaConnection } from './v1alpha-connection.ts';

/** What a message says, in either form of the protocol. */
type Heard =
  | { readonly kind: 'data'; readonly isError: boolean; readonly data: Uint8Array }
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'failed'; readonly why: string };

/** Where a plugin runs commands. */
export interface AlphaPlace {
  readonly connection: AlphaConnection;
  readonly environment: string;
  /** Its name on our side, for events. */
  readonly name: string;
  readonly lost: () => string | undefined;
}

/** Runs a command. The protocol knows one way to stop it: cancelling the call. */
export function runAlphaExec(place: AlphaPlace, request: ExecRequest, ctx: CallContext): ExecHandle {
  return { result: run(place, request, ctx) };
}

async function run(place: AlphaPlace, request: ExecRequest, ctx: CallContext): Promise<ExecResult> {
  const { connection } = place;
  if (ctx.signal.aborted) return { kind: 'stopped', survivors: 0 };
  const gone = place.lost();
  if (gone !== undefined) throw new BackendError('lost', gone);
  const stop = new AbortController();
  const what = `an exec at ${connection.name}`;
  let result: ExecResult | undefined;
  let sinkFailure: { readonly error: unknown } | undefined;
  try {
    for await (const heard of messages(place, request, AbortSignal.any([ctx.signal, stop.signal]))) {
      if (result !== undefined) throw broken(connection, 'sent something after the end of an exec');
      if (heard.kind === 'exited') result = { kind: 'exited', code: heard.code };
      else if (heard.kind === 'failed') {
        throw new BackendError('plan', `${what}: ${plain(heard.why)}`);
      } else {
        // No chunk is read before the last was taken: the window of the stream holds the process back.
        try {
          await (heard.isError ? request.stderr : request.stdout)(heard.data);
        } catch (error) {
          sinkFailure = { error };
          throw error;
        }
      }
    }
    if (result !== undefined) return result;
    if (ctx.signal.aborted) return { kind: 'stopped', survivors: 0 };
    throw new BackendError('lost', `${what} was lost: the stream ended before the exec did`);
  } catch (error) {
    if (sinkFailure !== undefined) throw sinkFailure.error;
    if (result === undefined && ctx.signal.aborted) return { kind: 'stopped', survivors: 0 };
    throw asLost(errorOfStatus(error, what));
  } finally {
    stop.abort();
  }
}

async function* messages(
  { connection, environment }: AlphaPlace,
  { argv, env, cwd, user }: ExecRequest,
  signal: AbortSignal,
): AsyncGenerator<Heard, void, undefined> {
  const request = {
    environmentId: environment,
    command: [...argv],
    env: { ...env },
    workdir: cwd,
    ...(user === undefined ? {} : { user }),
  };
  if (connection.draft === undefined) {
    for await (const message of connection.client.exec(request, { signal })) yield heardOf(connection, message);
  } else {
    for await (const message of connection.draftClient.exec(request, { signal })) yield* heardOfDraft(message);
  }
}

function heardOf(connection: AlphaConnection, { Output: output }: ExecOutput): Heard {
  if (output.case === 'data') {
    return { kind: 'data', isError: output.value.stream === DataChunk_Stream.STDERR, data: output.value.data };
  }
  if (output.case === 'execComplete') return { kind: 'exited', code: output.value.exitCode };
  if (output.case === 'execFailed') return { kind: 'failed', why: output.value.errorMessage };
  throw broken(connection, 'sent an empty message in the midst of an exec');
}

function* heardOfDraft({ stream, data, exitCode, done, errorMessage }: DraftOutput): Generator<Heard, void, undefined> {
  if (data.length > 0) yield { kind: 'data', isError: stream === 1, data };
  if (errorMessage !== undefined) yield { kind: 'failed', why: errorMessage };
  else if (done || exitCode !== undefined) yield { kind: 'exited', code: exitCode ?? 0 };
}

function broken(connection: AlphaConnection, what: string): BackendError {
  return new BackendError('internal', `${connection.name} ${what}: it breaks the protocol`);
}

function asLost(error: BackendError): BackendError {
  if (!['unavailable', 'not_found', 'timeout', 'cancelled'].includes(error.code)) return error;
  return new BackendError('lost', error.message, { ...error.details, cause: error });
}
