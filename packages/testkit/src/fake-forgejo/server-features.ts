/** What a version of Forgejo can do for runners, and what it gets wrong. */
export interface ServerFeatures {
  /** `Declare`; since 1.21. */
  readonly declare: boolean;
  /** `task_capacity` and `additional_tasks`; since 14. */
  readonly taskCapacity: boolean;
  /** Tasks come in `additional_tasks` alone; 14.0.0 and 14.0.1. */
  readonly additionalTasksAlone: boolean;
  /** The header `x-runner-request-key`; since 15. */
  readonly requestKeys: boolean;
  /** `FetchSingleTask` with a handle; since 15. */
  readonly singleTask: boolean;
  /** Runners for one task; since 15. */
  readonly ephemeral: boolean;
}

/** Versions whose differences matter to a runner. */
export type ServerVersion = '1.20' | '7.0.0' | '11.0.0' | '14.0.0' | '14.0.2' | '15.0.0';

const nothing: ServerFeatures = {
  declare: false,
  taskCapacity: false,
  additionalTasksAlone: false,
  requestKeys: false,
  singleTask: false,
  ephemeral: false,
};

/** By version; 7 and 11 differ in nothing that a runner sees. */
export const serverFeatures: Readonly<Record<ServerVersion, ServerFeatures>> = {
  '1.20': nothing,
  '7.0.0': { ...nothing, declare: true },
  '11.0.0': { ...nothing, declare: true },
  '14.0.0': { ...nothing, declare: true, taskCapacity: true, additionalTasksAlone: true },
  '14.0.2': { ...nothing, declare: true, taskCapacity: true },
  '15.0.0': {
    declare: true,
    taskCapacity: true,
    additionalTasksAlone: false,
    requestKeys: true,
    singleTask: true,
    ephemeral: true,
  },
};
