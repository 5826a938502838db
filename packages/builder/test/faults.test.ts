import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture, openWorkplace, type Workplace, withFixtureRunner } from './run-builder.ts';

let workplace: Workplace;

beforeAll(async () => {
  workplace = await openWorkplace();
});
afterAll(() => workplace[Symbol.asyncDispose]());

/** What the builder prints about packages with a fault, without the progress before it. */
async function complaint(
  flags: readonly string[],
  ...fixtures: readonly string[]
): Promise<{ code: number | null; text: string }> {
  const packages = fixtures.flatMap((name) => ['--with', fixture(name)]);
  const { code, stderr } = await workplace.build(...withFixtureRunner, ...packages, ...flags);
  const lines = stderr.split('\n').filter((line) => line !== '' && !/^[✔✖]/.test(line));
  return { code, text: lines.join('\n') };
}

const author = 'use a version of the package for this API, or tell the author';
const older = 'use an older version of the package or a newer builder';
const untyped = (name: string): string => `tell the author, or accept the risk: --allow-untyped @acme/backend-${name}`;

it.each([
  {
    name: 'other-major',
    exit: 4,
    message: 'FRB401 @acme/backend-other-major@3.0.0 is written for API 2; this runner (1.0.0) speaks API 1',
    next: 'use a version of @acme/backend-other-major for API 1, or a builder for API 2',
  },
  {
    name: 'other-major-peer',
    exit: 4,
    message:
      'FRB401 @acme/backend-other-major-peer@3.0.1 is written for @forgejo-runner/core ^2.1.0; this runner (1.0.0) speaks API 1',
    next: 'use a version of @acme/backend-other-major-peer for API 1, or a builder for API 2',
  },
  {
    name: 'newer-minor',
    exit: 3,
    message: 'FRB301 @acme/backend-newer-minor@1.2.0 needs @forgejo-runner/core ^1.6.0, this builder has 1.0.0',
    next: 'use an older version of the package, or a builder with API 1.6.0 or newer',
  },
  {
    name: 'not-a-backend',
    exit: 3,
    message: 'FRB302 left-padding@1.3.0 is not a runner backend: package.json has no "forgejoRunner" field',
    next: 'check the name; backends carry the keyword forgejo-runner-backend',
  },
  {
    name: 'no-types',
    exit: 4,
    message: 'FRB402 @acme/backend-no-types@1.0.0 ships no type declarations',
    next: 'ask the author for declarations, or accept the risk: --allow-untyped @acme/backend-no-types',
  },
  {
    name: 'no-factory',
    exit: 4,
    message: 'FRB403 @acme/backend-no-factory@1.0.0: expected the export factory, found Client, default',
    next: 'tell the author: a backend package exports factory, a BackendFactory',
  },
  {
    name: 'missing-member',
    exit: 4,
    message:
      'FRB404 @acme/backend-missing-member@1.0.0: factory.create(…) has no "sweep" (API 1.0.0: sweep: (request: SweepRequest, ctx: CallContext) => Promise<SweepReport>)',
    where: 'index.d.ts:3',
    next: author,
  },
  {
    name: 'requires-too-much',
    exit: 4,
    message:
      'FRB405 @acme/backend-requires-too-much@1.0.0: factory.create(ctx) expects trace: (name: string) => void, which API 1.0.0 does not pass',
    where: 'index.d.ts:7',
    next: older,
  },
  {
    name: 'extra-argument',
    exit: 4,
    message:
      'FRB405 @acme/backend-extra-argument@1.0.0: factory.create expects the argument tracer, which API 1.0.0 does not pass (API 1.0.0: (input: FactoryInput, ctx: CallContext): Promise<Backend>)',
    where: 'index.d.ts:7',
    next: older,
  },
  {
    name: 'method-bivariance',
    exit: 4,
    message:
      'FRB405 @acme/backend-method-bivariance@1.0.0: factory.create(ctx) expects trace: (name: string) => void, which API 1.0.0 does not pass',
    where: 'index.d.ts:7',
    next: older,
  },
  {
    name: 'abort-signal',
    exit: 4,
    message:
      'FRB405 @acme/backend-abort-signal@1.0.0: factory.create(ctx).signal expects number, API 1.0.0 passes AbortSignal',
    next: older,
  },
  {
    name: 'vacuous-unresolved',
    exit: 4,
    message:
      'FRB406 @acme/backend-vacuous-unresolved@0.3.0: types cannot be checked: index.d.ts imports "@forgejo-runner/plugin-api-old", which is not installed',
    next: untyped('vacuous-unresolved'),
  },
  {
    name: 'vacuous-inside',
    exit: 4,
    message:
      'FRB406 @acme/backend-vacuous-inside@1.0.0: types cannot be checked: index.d.ts imports "@acme/platform-types", which is not installed',
    next: untyped('vacuous-inside'),
  },
  {
    name: 'plain-any',
    exit: 4,
    message: 'FRB406 @acme/backend-plain-any@1.0.0: types cannot be checked: factory is any',
    next: untyped('plain-any'),
  },
  {
    name: 'any-inside',
    exit: 4,
    message: 'FRB406 @acme/backend-any-inside@1.0.0: types cannot be checked: factory.create(…) is any',
    next: untyped('any-inside'),
  },
  {
    name: 'registers-nothing',
    exit: 7,
    message:
      'FRB501 @acme/backend-registers-nothing@1.1.0 was imported but registered no backend; it exports Client, default, expected factory',
    next: 'tell the author: a backend package exports factory, a BackendFactory',
  },
  {
    name: 'registers-other',
    exit: 7,
    message: 'FRB505 @acme/backend-registers-other@1.0.0 declares promised in package.json but registered delivered',
    next: 'tell the author',
  },
  {
    name: 'missing-dependency',
    exit: 5,
    message: 'FRB503 @acme/backend-missing-dependency@1.0.0 imports "package-that-is-nowhere", which cannot be found',
    where: `${fixture('missing-dependency')}/index.js:1:8`,
    next: `run npm install in ${fixture('missing-dependency')}`,
  },
  {
    name: 'native-addon',
    exit: 5,
    message:
      'FRB504 @acme/backend-native-addon loads the native addon ./build/Release/fast.node, which cannot be part of a single file',
    next: 'leave it out, if the package works without it: --native @acme/backend-native-addon=stub; or carry it along: --native @acme/backend-native-addon=embed',
  },
  {
    name: 'own-core-major-2',
    exit: 4,
    message:
      'FRB408 @acme/backend-own-core-major-2@1.0.0 brings its own @forgejo-runner/core ^2.0.0 (in "dependencies"); this runner has 1.0.0, another major',
    next: 'ask the author to move @forgejo-runner/core to peerDependencies',
  },
])('refuses $name', async ({ name, exit, message, where, next }) => {
  const { code, text } = await complaint([], name);
  const place = where === undefined ? '' : `\n  at: ${where}`;
  expect(text).toBe(`${message}${place}\n  next: ${next}`);
  expect(code).toBe(exit);
});

it('refuses a field with wrong values, all of them at once', async () => {
  const { code, text } = await complaint([], 'malformed-field');
  expect(text).toContain('FRB303 @acme/backend-malformed@1.0.0: forgejoRunner.api: ');
  expect(text).toContain('forgejoRunner.backends.0: expected a backend id');
  expect(text).toContain('forgejoRunner.export: expected "." or a subpath');
  expect(code).toBe(3);
});

it('names both packages that declare one id', async () => {
  const { code, text } = await complaint([], 'good', 'duplicate-id');
  expect(text).toBe(
    'FRB407 backend "good" is provided by @acme/backend-good@1.0.0 and @corp/backend-good@0.9.0\n  next: keep one of them; a default backend is left out with --without',
  );
  expect(code).toBe(4);
});

it('names both packages when one registers an id that it does not declare', async () => {
  const { text } = await complaint([], 'good', 'hidden-duplicate');
  expect(text).toBe(
    'FRB407 backend "good" is provided by @acme/backend-good@1.0.0 and @corp/backend-hidden@1.0.0\n  next: keep one of them; a default backend is left out with --without',
  );
});

it('reports every package that is wrong, not only the first', async () => {
  const { code, text } = await complaint([], 'other-major', 'not-a-backend', 'newer-minor');
  expect(text.match(/^FRB\d+/gm)).toEqual(['FRB401', 'FRB302', 'FRB301']);
  expect(code).toBe(4);
});

it('shows the words of the compiler with --verbose only', async () => {
  const chain = "Property 'sweep' is missing in type 'OldBackend' but required in type 'Backend'";
  expect((await complaint([], 'missing-member')).text).not.toContain(chain);
  expect((await complaint(['--verbose'], 'missing-member')).text).toContain(chain);
});

it('writes errors as JSON for machines', async () => {
  const { code, stdout } = await workplace.build(
    ...withFixtureRunner,
    '--with',
    fixture('plain-any'),
    '--log-format',
    'json',
  );
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.at(-1)).toMatchObject({
    event: 'error',
    code: 'FRB406',
    message: '@acme/backend-plain-any@1.0.0: types cannot be checked: factory is any',
  });
  expect(events).toContainEqual(
    expect.objectContaining({ event: 'step-finished', step: 'resolve', ms: expect.any(Number) as number }),
  );
  expect(code).toBe(4);
});
