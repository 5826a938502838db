import type { EnvironmentInfo } from '@forgejo-runner/core';
import type { Value, ValueMap } from '../expressions/values.ts';

/** The `runner` context of an environment. `debug` is `1` or absent, as GitHub has it. */
export function runnerContext(
  info: EnvironmentInfo,
  runner: { readonly name: string; readonly debug: boolean },
): ValueMap {
  const context = new Map<string, Value>([
    ['name', runner.name],
    ['os', info.os],
    ['arch', info.arch],
    ['temp', info.paths.temp],
    ['tool_cache', info.paths.toolCache],
    ['workspace', info.paths.workspace],
    ['environment', 'self-hosted'],
  ]);
  if (runner.debug) context.set('debug', '1');
  return context;
}
