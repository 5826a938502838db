import type { Check } from './check.ts';
import { containers } from './containers.ts';
import { copy } from './copy.ts';
import { endpoint } from './endpoint.ts';
import { exec } from './exec.ts';
import { hostile } from './hostile.ts';
import { isolation } from './isolation.ts';
import { labels } from './labels.ts';
import { lifecycle } from './lifecycle.ts';
import { registration } from './registration.ts';
import { stop } from './stop.ts';
import { streams } from './streams.ts';
import { sweep } from './sweep.ts';
import { workflows } from './workflows.ts';

/** All checks by their numbers. */
export const checks: readonly Check[] = [
  ...registration,
  ...labels,
  ...lifecycle,
  ...exec,
  ...streams,
  ...stop,
  ...copy,
  ...containers,
  ...endpoint,
  ...isolation,
  ...sweep,
  ...hostile,
  ...workflows,
].toSorted((a, b) => a.id.localeCompare(b.id));
