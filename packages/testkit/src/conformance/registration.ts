import { type BackendFactory, factories } from '@forgejo-runner/core';
import type { Check } from './check.ts';
import { expectRejection, expectThat, show } from './expectations.ts';
import { freshOwner, openBackend, promptMs, type Stage, within } from './stage.ts';

/** How a backend comes into a runner: registration, configuration, health. */
export const registration: readonly Check[] = [
  {
    id: 'C01',
    title: 'importing the package registers its one factory; another one of that id is refused',
    run: async ({ options }) => {
      const { factory, isRegistered = true } = options;
      expectThat(factory.api === 1, `expected a factory for api 1, found ${show(factory.api)}`);
      expectThat(/^[a-z][a-z0-9_-]{0,31}$/.test(factory.id), `expected an id of a-z, 0-9, "-", "_": ${factory.id}`);
      expectThat(factory.description !== '', 'expected a description of one sentence, found none');
      if (!isRegistered) return;
      const registered = factories.get(factory.id)?.factory;
      expectThat(registered === factory, `expected "${factory.id}" in the registry after the import, found another`);
      factories.register(factory);
      const other: BackendFactory = { ...factory };
      const again = (async () => factories.register(other, { package: '@conformance/other', version: '1.0.0' }))();
      const { message } = await expectRejection(again, ['config'], 'registering another factory of this id');
      expectThat(message.includes('@conformance/other'), `expected the message to name both packages: ${message}`);
    },
  },
  {
    id: 'C02',
    title: 'a wrong configuration is found by the schema, each issue with its place',
    run: async ({ options }) => {
      await checkConfiguration(options.factory, options.config ?? {});
    },
  },
  {
    id: 'C06',
    title: 'two backends of one factory share no state',
    run: async (stage) => {
      const first = await openBackend(stage.options, await ownersPlace(stage));
      const owner = freshOwner();
      const second = await stage.open({ owner });
      const place = await stage.create({ backend: second, owner });
      await place.put([{ name: 'kept', content: 'kept' }]);
      await first[Symbol.asyncDispose]();
      expectThat((await place.ask('cat kept')) === 'kept', 'disposing one backend touched environments of another');
      const { alive } = await place.environment.state(stage.context());
      expectThat(alive, 'expected an environment to live on when another backend is disposed, found it dead');
      await stage.create({ backend: second, owner });
    },
  },
  {
    id: 'C07',
    title: 'health answers in five seconds, and with "down" where the platform does not answer',
    run: async (stage) => {
      const { status } = await within(stage.backend.health(stage.context()), 5000, 'health');
      expectThat(status !== 'down', 'expected a platform that is up, found health "down"');
      const { unreachable } = stage.options;
      if (unreachable === undefined) return;
      const away = await openUnreachable(stage, unreachable.config);
      if (away === undefined) return;
      const found = await within(away.health(stage.context()), 5000, 'health of a platform that is away');
      expectThat(found.status === 'down', `expected health "down" of a platform that is away, found ${found.status}`);
    },
  },
];

async function ownersPlace(stage: Stage): Promise<{ owner: ReturnType<typeof freshOwner>; stateDir: string }> {
  return { owner: freshOwner(), stateDir: (await stage.folder()).path };
}

/** A backend may also refuse to open, with `unavailable`: then there is nobody to ask. */
async function openUnreachable(stage: Stage, config: unknown): Promise<Awaited<ReturnType<Stage['open']>> | undefined> {
  const opening = stage.open({ config });
  try {
    return await within(opening, promptMs, 'opening a backend whose platform is away');
  } catch {
    await expectRejection(opening, ['unavailable'], 'opening a backend whose platform is away');
    return undefined;
  }
}

async function checkConfiguration({ configSchema }: BackendFactory, config: unknown): Promise<void> {
  const schema = configSchema['~standard'];
  const good = await schema.validate(config);
  expectThat(good.issues === undefined, `expected the configuration to be valid, found ${show(good.issues)}`);
  const unknown = 'no_such_key_of_any_backend';
  const base = typeof config === 'object' && config !== null ? config : {};
  const extra = await schema.validate({ ...base, [unknown]: 1 });
  expectThat(extra.issues !== undefined, `expected the unknown key "${unknown}" to be an issue, found it accepted`);
  const isNamed = extra.issues.some(({ message, path }) => `${message} ${show(path)}`.includes(unknown));
  expectThat(isNamed, `expected an issue that names "${unknown}", found ${show(extra.issues)}`);
  for (const wrong of ['text', 42, [1], true]) {
    const read = await schema.validate(wrong);
    expectThat(read.issues !== undefined, `expected ${show(wrong)} to be no configuration, found it accepted`);
    const isTold = read.issues.length > 0 && read.issues.every(({ message }) => message !== '');
    expectThat(isTold, `expected issues with a message for ${show(wrong)}, found ${show(read.issues)}`);
  }
}
