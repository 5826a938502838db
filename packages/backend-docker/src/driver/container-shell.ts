import { BackendError } from '@forgejo-runner/core';
import { demux } from './demux.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { endOf, startExec } from './engine-exec.ts';
import { shellPath } from './idle-process.ts';

/** A script of ours that is run in a container, beside what the job does there. */
export interface OwnScript {
  readonly script: string;
  readonly args: readonly string[];
  /** Default: root of the container. */
  readonly user?: string;
}

/** A shell that a job has replaced might never end, or never stop to write. */
const boundMs = 20_000;
const limitBytes = 8 * 1024 * 1024;
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a script by the shell of a container and gives what it prints. The shell belongs to the job: what it prints is
 * no more to be trusted than other output of the job, and it gets no right that the job does not have.
 *
 * @throws BackendError when it cannot be started, prints too much or takes too long.
 */
export async function runOwnScript(
  endpoint: DockerEndpoint,
  container: string,
  { script, args, user = '0:0' }: OwnScript,
): Promise<string> {
  const signal = AbortSignal.timeout(boundMs);
  const argv = [shellPath, '-c', script, 'forgejo-runner', ...args];
  const draft = { container, argv, env: [path], cwd: '/', user, hasStdin: false, tty: undefined };
  const exec = await startExec(endpoint, draft, { signal });
  const onLate = (): void => void exec.stream.destroy();
  signal.addEventListener('abort', onLate, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const { source, payload } of demux(exec.stream)) {
      if (source === 'stderr') continue;
      chunks.push(Uint8Array.from(payload));
      bytes += payload.length;
      if (bytes > limitBytes) throw failed(container, 'it does not stop to write');
    }
    const { code } = await endOf(exec, async () => {
      if (signal.aborted) throw failed(container, 'it takes too long');
    });
    // 125 and above: it could not be started, or was killed.
    if (code >= 125) throw failed(container, `it ended with code ${code}`);
    return Buffer.concat(chunks).toString('latin1');
  } catch (error) {
    throw signal.aborted ? failed(container, 'it takes too long') : error;
  } finally {
    signal.removeEventListener('abort', onLate);
    exec.stream.destroy();
  }
}

function failed(container: string, why: string): BackendError {
  return new BackendError('lost', `cannot look into the container by its own ${shellPath}: ${why}`, {
    resource: container,
  });
}
