import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';

const source = new URL('../../src/cache/open-runner-cache.ts', import.meta.url).href;

/** Opens a cache with and without a bucket, and counts the modules of its client. */
const program = `
import { registerHooks } from 'node:module';
let count = 0;
registerHooks({ load: (url, context, next) => { if (url.includes('/@aws-sdk/')) count += 1; return next(url, context); } });
const { openConfigured } = await import(${JSON.stringify(source)});
const dir = process.argv.at(-1);
const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const limits = { maxBytes: 1e9, maxRepositoryBytes: 1e9, maxUnusedMs: 1e9, maxAgeMs: 1e9 };
const open = async (more) => {
  const cache = await openConfigured({ config: { dir, limits, ...more }, env: {}, log, readSecret: quiet });
  await cache[Symbol.asyncDispose]();
};
await open({});
console.log('without', count);
const s3 = { bucket: 'b', prefix: '', region: 'r', endpoint: 'http://127.0.0.1:1', accessKey: 'k', secretKey: 's' };
await open({ s3 }).catch(quiet);
console.log('with', count > 0);
`;

it('loads the client of buckets only where one is configured', async () => {
  await using folder = await openTempFolder();
  const args = ['--conditions=@forgejo-runner/source', '--input-type=module', '-e', program, '--', folder.path];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 100_000 });
  expect(stdout).toBe('without 0\nwith true\n');
});
