import { writeFile } from 'node:fs/promises';
import type { CallContext, ExecHandle, ExecRequest, ExecResult } from '@forgejo-runner/core';
import { type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';

/** What the processes of a job do: none is started, the same happens for each. */
export interface ScriptedProcess {
  /** In this order. */
  readonly output: readonly { readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }[];
  /** Bytes of command files by the variable that names them. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly code: number;
}

/** Says nothing and succeeds. */
export const quiet: ScriptedProcess = { output: [], files: {}, code: 0 };

/** A reference backend whose environments are real folders, and whose processes only do what the script says. */
export function scriptedBackend(process: ScriptedProcess): ReferenceBackend {
  const backend = referenceBackend();
  const create: ReferenceBackend['factory']['create'] = async (input, ctx) => {
    const made = await backend.factory.create(input, ctx);
    return {
      ...made,
      createEnvironment: async (request, call) => {
        const environment = await made.createEnvironment(request, call);
        if (environment.target === undefined) return environment;
        const exec = (wanted: ExecRequest, execCall: CallContext): ExecHandle => ({
          result: play(process, wanted, execCall),
          signal: async () => {},
        });
        return { ...environment, target: { ...environment.target, exec } };
      },
    };
  };
  return { ...backend, factory: { ...backend.factory, create } };
}

async function play(process: ScriptedProcess, request: ExecRequest, { signal }: CallContext): Promise<ExecResult> {
  // The question whether there is a shell.
  if (request.argv[2] === 'exit 0') return { kind: 'exited', code: 0 };
  for (const { stream, bytes } of process.output) {
    if (signal.aborted) return { kind: 'stopped', survivors: 0 };
    // Some backends hand out memory that they use again: what a sink keeps has to be a copy.
    const lent = new Uint8Array(bytes);
    await request[stream](lent);
    lent.fill(0x21);
  }
  for (const [name, bytes] of Object.entries(process.files)) {
    const path = request.env[name];
    if (path !== undefined) await writeFile(path, bytes);
  }
  return signal.aborted ? { kind: 'stopped', survivors: 0 } : { kind: 'exited', code: process.code };
}
