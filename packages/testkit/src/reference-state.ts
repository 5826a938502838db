import type { Capabilities, EnvironmentInfo, ExecutionEnvironment, Owner, RemoveReport } from '@forgejo-runner/core';
import type { Marker } from '@forgejo-runner/kit';
import type { ReferenceFaults } from './reference-faults.ts';
import type { TempFolder } from './temp-folder.ts';

/** What all backends of one reference factory share, as they would share a machine. */
export interface ReferenceState {
  readonly id: string;
  readonly capabilities: Capabilities;
  readonly faults: ReferenceFaults;
  readonly record: (method: string, environment?: string, detail?: unknown) => void;
  readonly environments: Map<string, { readonly owner: Owner; readonly environment: ReferenceEnvironment }>;
  /** How many creations failed because of the fault `create`. */
  failedCreations: number;
}

/** An environment that can be removed behind the back of whoever has it. */
export interface ReferenceEnvironment extends ExecutionEnvironment {
  readonly expiresAt: number;
  readonly sweepAway: () => Promise<RemoveReport>;
}

/** What the parts of one reference environment work with. */
export interface ReferencePlace {
  readonly state: ReferenceState;
  readonly name: string;
  readonly folder: TempFolder;
  /** On every process of the environment. */
  readonly marker: Marker;
  readonly info: EnvironmentInfo;
  readonly isAlive: () => boolean;
}
