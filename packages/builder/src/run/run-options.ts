import type { EventSink } from '../events.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { LockOptions } from '../resolve/resolve-project.ts';
import type { UserError } from '../user-error.ts';

/** What to run. */
export interface RunOptions extends LockOptions {
  readonly manifest: Manifest;
  /** Arguments of the runner. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly cacheDir?: string;
  /** Builds the JavaScript file, and runs that. Default: the packages as they lie. */
  readonly isBundled?: boolean;
  /** Starts it again whenever a file of a local package changes, until it is told to stop. */
  readonly isWatched?: boolean;
  readonly onEvent: EventSink;
  /** Called with what the type check found, which does not stop the runner, and while watching with all that is wrong. */
  readonly onFinding: (error: UserError) => void;
  /** Called when the runner was started, with the way to send it signals. From then on it ends in its own time. */
  readonly onStarted?: (send: (name: NodeJS.Signals) => void) => void;
  /** Stops everything before that. */
  readonly signal: AbortSignal;
}

/** A runner that can be started. Disposed when it has ended. */
export interface Prepared extends AsyncDisposable {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves when everything that is looked at meanwhile was said. */
  readonly checked: Promise<void>;
}
