import type { DockerDriver, FactoryRegistry } from '@forgejo-runner/core';
import type { BuildInfo } from '../build-info.ts';
import type { Io } from '../io.ts';

/** What a command may use beside its own flags. */
export interface CommandContext {
  readonly io: Io;
  /** The backends that were imported before the runner started. */
  readonly factories: FactoryRegistry;
  /** Makes containers at the engines that backends hand out; absent where no package brought one. */
  readonly dockerDriver?: DockerDriver;
  /** Absent where the runner was put together without the builder. */
  readonly buildInfo?: BuildInfo;
  /** Backend package to the milliseconds that importing it took, where the entry measured that. */
  readonly importTimes?: ReadonlyMap<string, number>;
}
