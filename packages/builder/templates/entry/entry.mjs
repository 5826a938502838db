import { takeEarlySignals } from './early-signals.mjs';
import { run } from '@forgejo-runner/runner';
import buildInfo from './build-info.json' with { type: 'json' };
import { importTimes } from './import-times.mjs';

await run(process.argv, { buildInfo, importTimes, takeEarlySignals });
