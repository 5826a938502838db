import type { Check } from './check.ts';
import { containers } from './containers.ts';
import { copy } from './copy.ts';
import { endpoint } from './endpoint.ts';
import { exec } from './exec.ts';
import { delegation } from './delegation.ts';
import { clock } from './clock.ts';
import { hostile } from './hostile.ts';
import { images } from './images.ts';
import { isolation } from './isolation.ts';
import { labels } from './labels.ts';
import { lifecycle } from './lifecycle.ts';
import { places } from './places.ts';
import { plugin } from './plugin.ts';
import { registration } from './registration.ts';
import { stop } from './stop.ts';
import { streams } from './streams.ts';
import { sweep } from './sweep.ts';
import { windows } from './windows.ts';
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
  ...images,
  ...delegation,
  ...endpoint,
  ...plugin,
  ...isolation,
  ...sweep,
  ...hostile,
  ...places,
  ...clock,
  ...windows,
  ...workflows,
].toSorted((a, b) => a.id.localeCompare(b.id));
