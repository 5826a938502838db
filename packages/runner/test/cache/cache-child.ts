import { randomBytes } from 'node:crypto';
import { openCache } from '../../src/cache/open-cache.ts';
import { openCacheServer } from '../../src/cache/cache-server.ts';
import { narrowLimits } from './open-test-cache.ts';

// A cache server in a process of its own, for the test that kills it. Says the address of its only job.
const [folder = ''] = process.argv.slice(2);
const quiet = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
const cache = await openCache({ folder, limits: narrowLimits, log: quiet });
const server = openCacheServer({ cache: async () => cache, log: quiet, port: 0 });
const { port } = await server.listeners.listen('127.0.0.1');
const access = { job: randomBytes(8).toString('hex'), repository: 'r', read: [''], write: '' };
const { token } = server.keys.add({ access });
console.log(`http://127.0.0.1:${port}/${token}/_apis/artifactcache/`);
