/** Whose a resource is. A backend writes it on every resource, in the call that creates the resource. */
export interface Owner {
  /** Identity of the runner, the same over restarts. */
  readonly runner: string;
  /** Random for each start of the process. */
  readonly boot: string;
}

/** What a removal did. A resource that could not be removed is reported, and left to the next sweep. */
export interface RemoveReport {
  readonly removed: readonly string[];
  readonly leaked: readonly { readonly resource: string; readonly error: string }[];
}

/** Asks a backend to remove what earlier processes of this runner left behind. */
export interface SweepRequest {
  /** Only resources of this runner may be touched, whatever their names look like. */
  readonly owner: Owner;
  /** Names of environments that are alive in this process. */
  readonly keep: readonly string[];
  /** `only-expired` where several processes share one identity: another process's environments stay until they expire. */
  readonly otherBoots: 'remove' | 'only-expired';
  /** Report what would be removed, and change nothing. */
  readonly dryRun: boolean;
}

/** What a sweep removed, could not remove, and kept. */
export interface SweepReport extends RemoveReport {
  readonly kept: readonly string[];
}

/** Asks a backend to remove what it keeps from one job to the next, such as images that it pulled or built. */
export interface PruneRequest {
  /** Only what this runner made or brought there may be touched. */
  readonly owner: Owner;
  /** What no job used for so many milliseconds goes. Default: what the backend is configured for. */
  readonly unusedMs?: number;
  /** The least recently used goes until so many bytes are left. Default: what the backend is configured for. */
  readonly maxBytes?: number;
  /** Report what would be removed, and change nothing. */
  readonly dryRun: boolean;
}

/** What pruning removed and could not remove, and how much is left. What a job uses is neither. */
export interface PruneReport extends RemoveReport {
  readonly freedBytes: number;
  readonly keptBytes: number;
}

/** Names environments of an earlier process that the runner would like to go on with. */
export interface RecoverRequest {
  readonly owner: Owner;
  readonly names: readonly string[];
}
