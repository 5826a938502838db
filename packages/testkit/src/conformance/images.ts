import { inspect } from 'node:util';
import { captureOutput } from '../capture.ts';
import type { Check } from './check.ts';
import { expectRejection, expectSame, expectThat, show } from './expectations.ts';
import * as gates from './gates.ts';
import { imageOf, jobSpec, openJobContainers, runStep, stepSpec } from './job-containers.ts';
import { expectInventory } from './lifecycle.ts';
import { freshName, type Stage } from './stage.ts';
import { tarOf } from './tar-entries.ts';

/** Where the images of containers come from. */
export const images: readonly Check[] = [
  {
    id: 'C12',
    title:
      'an image that is not there is told by "image", a reference that is none by "plan", a wrong password by "auth"',
    gate: gates.job,
    needs: 'for the password: option images.private',
    run: async (stage) => {
      const before = await stage.inventory();
      const missing = jobSpec(`conformance/not-there-${freshName()}:1`, { pull: 'never' });
      await expectRejection(makeJob(stage, missing), ['image'], 'a container of an image that is not there');
      const malformed = jobSpec('UPPER case//:: is no reference');
      await expectRejection(makeJob(stage, malformed), ['plan'], 'a container of an image with a malformed name');
      const isAsked = await checkPassword(stage);
      await expectInventory(stage, before, 'after containers that could not be made');
      if (!isAsked)
        throw stage.skip('all but the password was as it has to be; that needs the option "images.private"');
    },
  },
  {
    id: 'C58',
    title: 'an image without shell and tar runs its program',
    gate: gates.steps,
    needs: 'option images.scratch',
    run: async (stage) => {
      const { scratch } = stage.options.images ?? {};
      if (scratch === undefined) throw stage.skip('needs the option "images.scratch"');
      const [program, ...cmd] = scratch.argv;
      const made = await openJobContainers(stage, { stepContainers: 'run' });
      const step = await made.step(stepSpec(scratch.image, { entrypoint: [program], cmd, workdir: '/' }));
      const { result, out, err } = await runStep(stage, step);
      expectSame(result, { kind: 'exited', code: 0 }, `the result, with ${show(err)}`);
      expectThat(out.includes('ran'), `expected the program to print "ran", found ${show(out)}`);
    },
  },
  {
    id: 'C65',
    title: 'an image is built from a Dockerfile with arguments; a build that fails says why',
    gate: gates.build,
    needs: 'option images.shell',
    run: async (stage) => checkBuild(stage),
  },
];

/** Makes a job container and removes it again, with its environment. */
async function makeJob(stage: Stage, spec: ReturnType<typeof jobSpec>): Promise<void> {
  const made = await openJobContainers(stage, { jobContainer: spec });
  try {
    await made.job(spec);
  } finally {
    await made.environment.remove(stage.context());
  }
}

/** Is the wrong password told as such, the right one taken, and neither told to anybody? */
async function checkPassword(stage: Stage): Promise<boolean> {
  const { private: hidden } = stage.options.images ?? {};
  if (hidden === undefined) return false;
  const { image, credentials } = hidden;
  const wrong = { ...credentials, password: `wrong-${freshName()}` };
  const refused = makeJob(stage, jobSpec(image, { pull: 'always', credentials: wrong }));
  const { message } = await expectRejection(refused, ['auth'], 'a container of a private image with a wrong password');
  expectThat(!message.includes(wrong.password), 'expected no password in the error, found it');
  await makeJob(stage, jobSpec(image, { pull: 'always', credentials }));
  for (const { logged, events, progressed } of stage.contexts) {
    const told = inspect([logged, events], { depth: 9, maxStringLength: null }) + progressed.text();
    const isTold = [wrong, credentials].some(({ password }) => told.includes(password));
    expectThat(!isTold, 'expected no password in logs, events and progress, found one');
  }
  return true;
}

async function checkBuild(stage: Stage): Promise<void> {
  const image = imageOf(stage);
  const made = await openJobContainers(stage, { stepContainers: 'build' });
  const build = async (dockerfile: string): Promise<string> => {
    const output = captureOutput();
    const context = tarOf([
      { name: 'Dockerfile', content: dockerfile },
      { name: 'greeting', content: 'from the context\n' },
    ]);
    const tag = `conformance/${freshName()}:1`;
    const request = { context, dockerfile: 'Dockerfile', tag, buildArgs: { WHO: 'an argument' }, output: output.sink };
    return (await made.build(request, stage.context())).image;
  };
  // No RUN: it would need a network of the engine's own, which need not be there.
  const good = `FROM ${image}\nARG WHO\nENV BUILT_BY=$WHO\nCOPY greeting /greeting\n`;
  const built = await build(good);
  const step = await made.step(
    stepSpec(built, {
      pull: 'never',
      entrypoint: ['/bin/sh'],
      cmd: ['-c', 'cat /greeting; echo $BUILT_BY'],
      workdir: '/',
    }),
  );
  const { out } = await runStep(stage, step);
  expectSame(out, 'from the context\nan argument\n', 'what a container of the built image printed');
  const failing = build(`FROM ${image}\nCOPY not-in-the-context /\n`);
  const error = await expectRejection(failing, ['plan', 'image'], 'a build that fails');
  expectThat(
    error.message.includes('not-in-the-context'),
    `expected why the build failed, found ${show(error.message)}`,
  );
}
