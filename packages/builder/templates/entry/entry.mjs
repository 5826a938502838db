import { run } from '@forgejo-runner/runner';
import buildInfo from './build-info.json' with { type: 'json' };

await run(process.argv, { buildInfo });
