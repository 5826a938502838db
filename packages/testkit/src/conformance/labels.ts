import {
  formatLabel,
  isBackendError,
  type LabelConfiguration,
  parseLabel,
  type ResolvedLabel,
} from '@forgejo-runner/core';
import type { Check } from './check.ts';
import { describeError, expectSame, expectThat, Nonconformance, show } from './expectations.ts';
import { labelOf, type Stage } from './stage.ts';

/** What a backend makes of labels. */
export const labels: readonly Check[] = [
  {
    id: 'C03',
    title: 'a label means the same in both forms, and its canonical form means itself',
    run: async (stage) => {
      const given = [stage.options.label, ...(stage.options.labels ?? [])].map(labelOf);
      for (const label of given) await checkForms(stage, label);
    },
  },
  {
    id: 'C04',
    title: 'label strings from hell are resolved or refused with "label", never anything else',
    run: async (stage) => {
      const { factory } = stage.options;
      const base = formatLabel(stage.labelConfiguration);
      for (const text of [...labelsFromHell(factory.id), ...mutated(base, stage.amount(200, 1000))]) {
        await checkHostile(stage, text);
      }
    },
  },
  {
    id: 'C05',
    title: 'a method exists if and only if its capability is claimed',
    run: async (stage) => {
      const { capabilities, backend } = stage;
      const { environment, target, start } = await stage.create();
      const { containers } = capabilities;
      const native = containers.via === 'native' ? containers : undefined;
      const { handle } = start(['true']);
      await handle.result.catch(() => {});
      const claims: readonly [string, boolean, unknown][] = [
        ['environment.createJobContainer', native?.job === true, environment.createJobContainer],
        ['environment.createServiceContainer', native?.services === true, environment.createServiceContainer],
        ['environment.createStepContainer', native?.steps === true, environment.createStepContainer],
        ['environment.buildImage', native?.build === true, environment.buildImage],
        ['environment.dockerEndpoint', containers.via === 'docker-endpoint', environment.dockerEndpoint],
        ['target.sharedPath', capabilities.files.shared, target.sharedPath],
        ['handle.signal', capabilities.exec.signals, handle.signal],
        ['handle.resize (without a tty)', false, handle.resize],
        ['backend.recover', capabilities.recover, backend.recover],
      ];
      for (const [name, isClaimed, method] of claims) {
        const expected = isClaimed ? 'a method, for it is claimed' : 'no method, for it is not claimed';
        expectThat(
          (typeof method === 'function') === isClaimed,
          `${name}: expected ${expected}, found ${show(method)}`,
        );
      }
    },
  },
];

async function checkForms(stage: Stage, label: LabelConfiguration): Promise<void> {
  const resolve = (one: LabelConfiguration): Promise<ResolvedLabel> => stage.backend.resolveLabel(one, stage.context());
  const asString = parseLabel(formatLabel(label));
  const inString = await resolve(asString);
  const inMapping = await resolve({ ...asString, form: 'mapping' });
  const what = `label ${show(formatLabel(label))}`;
  expectSame(inMapping.data, inString.data, `${what}: data of the mapping form`);
  expectSame(inMapping.canonical, inString.canonical, `${what}: canonical of the mapping form`);
  expectSame((await resolve(label)).canonical, inString.canonical, `${what}: canonical of the label as given`);
  const again = await resolve(parseLabel(inString.canonical));
  expectSame(again.canonical, inString.canonical, `${what}: canonical of the canonical form`);
  expectSame(again.data, inString.data, `${what}: data of the canonical form`);
}

function labelsFromHell(id: string): readonly string[] {
  const long = 'x'.repeat(300);
  return [
    'a',
    'a:b:c:d',
    '?x',
    '',
    ':',
    ' ',
    `a:${id}`,
    `a:${id}:`,
    `a:${id}://`,
    `a:${id}:b:c:d`,
    `${long}:${id}`,
    `a:${id}:${long}`,
    `ä ß 名前:${id}:名前`,
    `a:${id}:%3F%3f%253F`,
    `a:${id}?image=x&image=y`,
    `a:${id}:x?image=y`,
    `a:${id}?k=1&k=2&k=3`,
    `a:${id}?__proto__=1&constructor=2&toString=3`,
    `a :${id}`,
    `a:${id} `,
    `a:${id}:x `,
    `a:${id}?=`,
    `a:${id}?&&&`,
    `a:${id}:\0\u001b[31m\n`,
    `a:${id}:$(id)\`id\`;id|id`,
    `a:${id}:../../../../etc/passwd`,
    `a:${id}:--privileged`,
  ];
}

/** Changes of a good label, the same ones in every run. */
function* mutated(base: string, count: number): Generator<string> {
  const pieces = [':', '?', '&', '=', '%', '//', ' ', '\n', '\0', 'ü', '%3F', '[', '{', '"', '-', '0', 'image=', '💥'];
  // A linear congruential generator: a failure must come again.
  let seed = 20_260_101;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  for (let made = 0; made < count; made += 1) {
    let text = base;
    for (let change = 0; change <= next(4); change += 1) {
      const at = next(text.length + 1);
      const piece = pieces[next(pieces.length)] ?? '';
      text =
        next(3) === 0 ? text.slice(0, at) + text.slice(at + 1 + next(3)) : text.slice(0, at) + piece + text.slice(at);
    }
    yield text;
  }
}

async function checkHostile(stage: Stage, text: string): Promise<void> {
  try {
    const label = parseLabel(text);
    // Another backend's labels never get here.
    const own = { ...label, backend: stage.options.factory.id };
    const { canonical } = await stage.backend.resolveLabel(own, stage.context());
    expectThat(
      typeof canonical === 'string',
      `label ${show(text)}: expected a canonical form, found ${show(canonical)}`,
    );
  } catch (error) {
    if (error instanceof Nonconformance) throw error;
    const isRefused = isBackendError(error) && error.code === 'label';
    expectThat(isRefused, `label ${show(text)}: expected BackendError "label", found ${describeError(error)}`);
  }
}
