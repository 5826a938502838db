import { setTimeout as pause } from 'node:timers/promises';
import { defaultStop, type ExecRequest } from '@forgejo-runner/core';
import { endProcesses, type Marker } from '@forgejo-runner/kit';
import { containerProcesses } from './container-processes.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { EngineExec } from './engine-exec.ts';

/** A process that is to be ended, with its tree. */
export interface Stopping {
  readonly place: { readonly endpoint: DockerEndpoint; readonly container: string };
  readonly request: Pick<ExecRequest, 'stop'>;
  readonly marker: Marker;
}

/** How often the marker may be on nobody although the process runs, before it is looked for by other means. */
const looksForMarker = 4;
const maxLooks = 20;
const pauseMs = 100;

/**
 * Ends a process of a container and all that it started, stage by stage, and leaves the container alive.
 *
 * @returns how many are alive all the same.
 */
export async function stopExec({ place, request, marker }: Stopping, exec: Pick<EngineExec, 'end'>): Promise<number> {
  let looks = 0;
  const options = { claimsParentless: () => looks > looksForMarker };
  const table = containerProcesses(place.endpoint, place.container, options);
  const stages = request.stop ?? defaultStop;
  try {
    for (;;) {
      looks += 1;
      const { found, survivors } = await endProcesses({ marker, stages, table, isElsewhere: true });
      if (survivors.length > 0) return survivors.length;
      const isOver = await hasEnded(exec);
      if (isOver) return 0;
      if (looks >= maxLooks) return 1;
      // The engine tells to start it before it has its variables, and tells of its end a moment late.
      if (found === 0 || looks > 1) await pause(pauseMs);
    }
  } catch {
    // No shell to look with, or no container: what the engine knows of the process is all there is.
    return (await hasEnded(exec)) ? 0 : 1;
  }
}

async function hasEnded(exec: Pick<EngineExec, 'end'>): Promise<boolean> {
  try {
    return (await exec.end()) !== undefined;
  } catch {
    return true; // it ended with its container
  }
}
