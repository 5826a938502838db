/**
 * Waits for the end of the environment, whose seconds are its first argument. It needs a shell and nothing else:
 * without `sleep` it reads from an input that stays open and never says anything, and has no end of its own.
 *
 * As first process of a container it gets no signal that it did not ask for, and has to wait for orphans.
 */
const idleScript = [
  "trap 'exit 143' TERM INT HUP",
  'if command -v sleep > /dev/null 2>&1; then sleep "$1" & wait "$!"; exit 0; fi',
  'while read -r _; do :; done',
].join('\n');

/** `sleep` of some systems takes no more. */
const longestSeconds = 2 ** 31 - 1;

/** What a job container runs instead of its image's own program. */
export function idleCommand(expiresAt: number, now: number): readonly string[] {
  const seconds = Math.min(longestSeconds, Math.max(1, Math.ceil((expiresAt - now) / 1000)));
  return [shellPath, '-c', idleScript, 'forgejo-runner-idle', String(seconds)];
}

/** The one program that an image for jobs must have. */
export const shellPath = '/bin/sh';
