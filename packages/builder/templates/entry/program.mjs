import { run } from '@forgejo-runner/runner';
import buildInfo from './build-info.json' with { type: 'json' };

// The backends are imported by the first command that needs them.
const importBackends = () => import('./backends.mjs');

export const start = (takeEarlySignals) => run(process.argv, { buildInfo, takeEarlySignals, importBackends });
