import { instanceArtifacts } from '../cache/instance-artifacts.ts';
import { hasStepContainers, openJobServices } from '../cache/open-job-services.ts';
import type { RunnerCache } from '../cache/open-runner-cache.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import type { OpenJobServices } from '../environment/job-services.ts';
import type { InstanceConnection } from '../forgejo/connection.ts';
import type { DecodedTask } from '../task/decode-task.ts';
import { idTokenHint } from '../task/id-token-hint.ts';
import type { ResolvedConnection } from './resolve-connections.ts';
import { urlForJobs } from './task-job.ts';

/** Opens for the job of a task what it reaches through the runner. */
export type TaskServices = (
  decoded: DecodedTask,
  connection: Pick<InstanceConnection, 'name' | 'url'>,
) => OpenJobServices;

/** The services of a runner that is connected to instances: its own cache, and theirs for all else. */
export function taskServices(
  cache: RunnerCache,
  {
    config,
    env,
    connections,
  }: {
    readonly config: RunnerConfig;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly connections: readonly Pick<ResolvedConnection, 'name' | 'ca'>[];
  },
): TaskServices {
  return ({ task, facts, idTokenWish }, connection) =>
    (planned, place, signal) => {
      const hint = idTokenHint(idTokenWish, facts);
      const url = urlForJobs(task, connection);
      const { runtimeToken: token, idTokenRequest } = facts;
      const insecure = config.runner.insecure;
      const ca = connections.find(({ name }) => name === connection.name)?.ca;
      return openJobServices(
        cache.forJobs,
        {
          github: task.github,
          hasCache: config.cache.enabled,
          hasStepContainers: hasStepContainers(planned),
          hints: hint === undefined ? [] : [hint],
          instance: {
            url,
            ...(token === undefined
              ? {}
              : {
                  runtimeToken: token,
                  artifacts: instanceArtifacts({ url, token, insecure, env, ...(ca === undefined ? {} : { ca }) }),
                }),
            ...(idTokenRequest === undefined ? {} : { idTokenRequest }),
          },
        },
        place,
        signal,
      );
    };
}
