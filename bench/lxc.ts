/**
 * Prints how fast containers of the backend `lxc` are made, run programs and take files, each beside the bare tools: needs
 * root, LXC and its bridge, on a quiet machine. `--conformance` adds how long the conformance suite takes for the backends
 * of this repository.
 *
 *     node --conditions=@forgejo-runner/source bench/lxc.ts [--conformance]
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConformanceOptions, runConformance } from '@forgejo-runner/testkit';
import { callContext, type Lxc, openLxc, sh, whyNoLxc } from '../packages/backend-lxc/test/lxc-fixture.ts';

const rounds = 15;
const mebibytes = 256;

if (whyNoLxc !== undefined) {
  console.log(`no containers here: ${whyNoLxc}`);
  process.exit();
}
const storage = mkdtempSync(join(tmpdir(), 'bench-lxc-'));
chmodSync(storage, 0o711);
try {
  const lxc = await openLxc(storage);
  for (const label of ['x:lxc://test', 'x:lxc://test::unprivileged']) {
    // The first makes the template.
    await (await lxc.create('first', {}, label)).remove(callContext());
    await lifecycle(lxc, label);
  }
  await execs(lxc);
  await files(lxc);
  await lxc.backend[Symbol.asyncDispose]();
} finally {
  rmSync(storage, { recursive: true, force: true });
}
if (process.argv.includes('--conformance')) await conformance();

async function lifecycle(lxc: Lxc, label: string): Promise<void> {
  const [created, removed] = [[] as number[], [] as number[]];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    const environment = await lxc.create(`bench-${round}`, {}, label);
    created.push(performance.now() - began);
    const ready = performance.now();
    await environment.remove(callContext());
    removed.push(performance.now() - ready);
  }
  say(`${label}: clone and start`, created);
  say(`${label}: removal`, removed);
}

async function execs(lxc: Lxc): Promise<void> {
  const environment = await lxc.create('execs');
  const attach = ['-P', join(storage, 'jobs'), '-n', 'execs', '--', '/bin/true'];
  const [bare, ours] = [[] as number[], [] as number[]];
  // Interleaved, so that a busy machine slows both.
  for (let round = 0; round < rounds * 4; round += 1) {
    const began = performance.now();
    execFileSync('lxc-attach', attach);
    bare.push(performance.now() - began);
    const next = performance.now();
    await sh(environment, '', { argv: ['/bin/true'] });
    ours.push(performance.now() - next);
  }
  say('bare lxc-attach', bare);
  say('exec', ours);
  console.log(`exec: ${(median(ours) / median(bare)).toFixed(2)} times bare lxc-attach`);
  await environment.remove(callContext());
}

async function files(lxc: Lxc): Promise<void> {
  const environment = await lxc.create('files');
  const { workspace } = environment.info.paths;
  await sh(environment, `mkdir d && head -c ${mebibytes}M /dev/urandom > d/large`);
  const chunks: Uint8Array[] = [];
  let began = performance.now();
  for await (const chunk of environment.target.copyOut({ src: `${workspace}/d` }, callContext())) chunks.push(chunk);
  console.log(`copyOut: ${rate(began)} MiB/s`);
  began = performance.now();
  await environment.target.copyIn({ dest: `${workspace}/in`, tar: stream(chunks) }, callContext());
  console.log(`copyIn: ${rate(began)} MiB/s`);
  await environment.remove(callContext());
}

async function conformance(): Promise<void> {
  const subjects: Readonly<Record<string, () => Promise<ConformanceOptions>>> = {
    'the reference backend': async () =>
      (await import('../packages/testkit/test/reference-subject.ts')).referenceSubject(),
    host: async () => (await import('../packages/backend-host/test/conformance-subject.ts')).conformance,
    lxc: async () => (await import('../packages/backend-lxc/test/conformance-subject.ts')).conformance,
  };
  for (const [name, load] of Object.entries(subjects)) {
    const { ms, passed, failed, skipped } = await runConformance(await load());
    console.log(
      `conformance of ${name}: ${(ms / 1000).toFixed(1)} s, ${passed} passed, ${failed} failed, ${skipped} skipped`,
    );
  }
}

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function rate(began: number): string {
  return (mebibytes / ((performance.now() - began) / 1000)).toFixed(0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function say(what: string, values: readonly number[]): void {
  const most = Math.max(...values);
  console.log(`${what}: ${median(values).toFixed(0)} ms, at most ${most.toFixed(0)} (median of ${values.length})`);
}
