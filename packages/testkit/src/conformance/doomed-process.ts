// A runner that is killed: opens the backend of a module and stays in one phase of its work until somebody ends it.
import { writeSync } from 'node:fs';
import type { ExecutionEnvironment } from '@forgejo-runner/core';
import { callContext } from '../call-context.ts';
import { type DoomedTask, loadSubject } from './doomed-runner.ts';
import { labelOf, openBackend, requestOf, workplaceOf } from './stage.ts';
import { tarOf } from './tar-entries.ts';
import { ended } from './workplace.ts';

const [subject = '', text = ''] = process.argv.slice(2);
// `startDoomed` wrote it.
const task = JSON.parse(text) as DoomedTask;
const options = await loadSubject(subject);
const { owner, phase } = task;
const backend = await openBackend(options, { owner, stateDir: task.stateDir });
const label = await backend.resolveLabel(labelOf(options.label), callContext());
const request = requestOf({ label, owner }, { name: task.name, expiresAt: Date.now() + task.expiresInMs });
// Nothing of this process must end it by itself.
setInterval(() => {}, 60_000);

if (phase === 'opened') tell();
else if (phase === 'creating') {
  tell();
  await backend.createEnvironment(request, callContext());
} else await work(await backend.createEnvironment(request, callContext()));

async function work(environment: ExecutionEnvironment): Promise<void> {
  const place = workplaceOf({ options }, environment, request);
  if (phase === 'created') return tell();
  if (phase === 'copying-in') {
    async function* stalling(): AsyncGenerator<Uint8Array> {
      for await (const chunk of tarOf([{ name: 'half', content: 'x'.repeat(100_000) }])) {
        yield chunk.subarray(0, 50_000);
        tell();
        await new Promise(() => {});
      }
    }
    return place.target.copyIn({ dest: place.path('in'), tar: stalling() }, callContext());
  }
  if (phase === 'suspended') {
    const running = place.startSh('echo on; sleep 1; head -c 1000000 /dev/zero; exit 7');
    while (running.out.text() === '') await new Promise((resolve) => setTimeout(resolve, 10));
    tell();
    const { result, bytes } = await ended(running);
    writeSync(1, `ran ${JSON.stringify([result, bytes.length])}\n`);
    await environment.remove(callContext());
    return;
  }
  // A tree, of which one part left its session, so that only a good sweep finds it.
  const running = place.startSh(
    'command -v setsid > /dev/null && s=setsid || s=; ($s sleep 1000 < /dev/null > /dev/null 2>&1 &) ; echo on; sleep 1000',
  );
  while (!running.out.text().includes('on')) await new Promise((resolve) => setTimeout(resolve, 10));
  if (phase === 'exec') return tell();
  if (phase === 'copying-out') {
    await place.put([{ name: 'out', content: 'x'.repeat(1_000_000) }]);
    for await (const _ of place.target.copyOut({ src: place.path('out') }, callContext())) {
      tell();
      await new Promise(() => {});
    }
    return;
  }
  tell();
  await environment.remove(callContext());
}

/** At once: the kill may come before a stream would write. */
function tell(): void {
  writeSync(1, `${phase}\n`);
}
