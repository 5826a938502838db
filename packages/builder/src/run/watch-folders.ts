import { type FSWatcher, watch } from 'node:fs';

/** Says when something in a folder changes. */
export interface FolderWatch extends Disposable {
  /** Resolves when something changed since the last call, and nothing more for a moment. Rejects when `signal` aborts. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
}

// Installed packages, git's own files, and what editors write beside a file before they replace it.
const passedOver =
  /(?:^|[/\\])(?:node_modules|\.git|\.turbo)(?:[/\\]|$)|(?:~|\.sw[a-z]|\.tmp|\.tsbuildinfo|[/\\]4913)$/;
// An editor that saves all, or a compiler, writes many files.
const quietMs = 60;
const nobody = (): void => undefined;

/** Watches folders with all that is below them, but what was installed there. */
export function watchFolders(dirs: readonly string[]): FolderWatch {
  let isChanged = false;
  let timer: NodeJS.Timeout | undefined;
  let tell = nobody;
  const note = (_: string, file: string | null): void => {
    if (file !== null && passedOver.test(file)) return;
    isChanged = true;
    clearTimeout(timer);
    timer = setTimeout(() => tell(), quietMs);
  };
  const watchers: FSWatcher[] = dirs.map((dir) => {
    const one = watch(dir, { recursive: true, ignore: (file) => passedOver.test(file) }, note);
    // A folder that goes away while it is watched: the next look at its packages says so.
    return one.on('error', () => undefined);
  });
  return {
    changed: (signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const stop = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', stop, { once: true });
        tell = () => {
          isChanged = false;
          signal.removeEventListener('abort', stop);
          tell = nobody;
          resolve();
        };
        // While nobody listened.
        if (isChanged) {
          clearTimeout(timer);
          timer = setTimeout(() => tell(), quietMs);
        }
      }),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      for (const one of watchers) one.close();
    },
  };
}
