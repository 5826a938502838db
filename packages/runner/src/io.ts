/** A stream that a person or another program reads. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What a person types, or another program writes. */
export interface InputStream extends NodeJS.ReadableStream {
  readonly isTTY?: boolean | undefined;
  readonly setRawMode?: ((raw: boolean) => unknown) | undefined;
}

/** All that a command has of the world outside, so that a test can run it in its own process. */
export interface Io {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths of the command line start from. */
  readonly cwd: string;
  /** Aborts at the first signal: finish in good order. Its reason is an {@link Interruption}. */
  readonly signal: AbortSignal;
  /** Has SIGHUP call the listener, until it is disposed, instead of ending the command. */
  readonly onHangUp: (listener: () => void) => Disposable;
  /** Aborts at the second signal: finish at once, and leave to the next start what takes time. */
  readonly hurry: AbortSignal;
}

/** Why {@link Io.signal} aborted. Not a failure: somebody wished it. */
export class Interruption extends Error {
  override readonly name: string = 'Interruption';
  /** Signal that the process got, such as `SIGINT`. */
  readonly by: NodeJS.Signals;

  constructor(by: NodeJS.Signals) {
    super(`interrupted by ${by}`);
    this.by = by;
  }
}
