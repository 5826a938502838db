import type { EnvironmentRequest } from '@forgejo-runner/core';

/** Keys of the labels that every object of ours carries from the call that creates it. */
export const labelKeys = {
  runner: 'org.forgejo.runner.runner',
  boot: 'org.forgejo.runner.boot',
  environment: 'org.forgejo.runner.environment',
  /** Milliseconds since the epoch. */
  expires: 'org.forgejo.runner.expires',
} as const;

/** Whose an object is, as a creating call takes it. */
export function objectLabels({
  name,
  owner,
  expiresAt,
}: Pick<EnvironmentRequest, 'name' | 'owner' | 'expiresAt'>): Readonly<Record<string, string>> {
  return {
    [labelKeys.runner]: owner.runner,
    [labelKeys.boot]: owner.boot,
    [labelKeys.environment]: name,
    [labelKeys.expires]: String(expiresAt),
  };
}
