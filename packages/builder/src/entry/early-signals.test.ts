import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const template = new URL('../../templates/entry/early-signals.mjs', import.meta.url).href;

/** An entry whose imports take until something comes in. */
const entry = `
import { takeEarlySignals } from ${JSON.stringify(template)};
// After the listener of the template: says that it was called, and nothing else.
if (process.argv.at(-1) === '0') process.on('SIGTERM', () => process.stdout.write('came\\n'));
process.stdout.write('loading\\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.destroy();
process.stdout.write(takeEarlySignals().join(' ') + ', then ' + takeEarlySignals().length + '\\n');
setTimeout(() => {}, Number(process.argv.at(-1)));
`;

async function start(lingersMs = 0): Promise<{ readonly child: ChildProcess; readonly output: () => string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', entry, '--', String(lingersMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  await expect.poll(() => output, { timeout: 20_000 }).toContain('loading');
  return { child, output: () => output };
}

it('keeps signals that come while a runner is loaded', async () => {
  const { child, output } = await start();
  const ended = once(child, 'close');
  child.kill('SIGTERM');
  await expect.poll(output, { timeout: 20_000 }).toContain('came');
  child.stdin?.write('go\n');
  expect(await ended).toEqual([0, null]);
  expect(output()).toContain('SIGTERM, then 0');
});

it('leaves signals alone when somebody else listens', async () => {
  const { child, output } = await start(60_000);
  child.stdin?.write('go\n');
  await expect.poll(output, { timeout: 20_000 }).toContain(', then 0');
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([null, 'SIGTERM']);
});

it('ends at the third, whatever is still loaded', async () => {
  const { child } = await start(1);
  const ended = once(child, 'close');
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) child.kill(signal);
  const [code, signal] = (await ended) as [number | null, NodeJS.Signals];
  expect(code).toBeNull();
  // Which of them comes last is the kernel's choice.
  expect(['SIGHUP', 'SIGINT', 'SIGTERM']).toContain(signal);
});
