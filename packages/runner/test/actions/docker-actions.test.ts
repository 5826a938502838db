import type { ContainerSupport, StepContainerSpec } from '@forgejo-runner/core';
import { referenceBackend } from '@forgejo-runner/testkit';
import { describe, expect, it } from 'vitest';
import { type RunYamlOptions, runSteps } from '../run-yaml.ts';

const native: ContainerSupport = {
  via: 'native',
  job: true,
  services: true,
  steps: true,
  build: true,
  fields: ['env', 'entrypoint', 'cmd'],
};

async function run(
  steps: string,
  files: Readonly<Record<string, string>>,
  containers = native,
  options: RunYamlOptions = {},
) {
  const backend = referenceBackend({ capabilities: { containers } });
  const ran = await runSteps(steps, { backend, files, ...options });
  const specs = backend.log
    .filter(({ method }) => method === 'createStepContainer')
    // What is recorded is what the runner handed over.
    .map(({ detail }) => detail as StepContainerSpec);
  const builds = backend.log.filter(({ method }) => method === 'buildImage').map(({ detail }) => detail);
  return { job: ran.job(), specs, builds, backend };
}

describe('an image as an action', () => {
  it('runs with entrypoint and words of args, and the variables of a step but the search path of the machine', async () => {
    const { job, specs } = await run(
      `
- uses: docker://alpine:3
  env: { MINE: 1 }
  with: { entrypoint: /bin/echo, args: 'one "two three" $HOME > x', other: 2 }`,
      {},
    );
    expect(job.result).toBe('success');
    expect(job.steps(0)).toContain('one two three $HOME > x');
    const [spec] = specs;
    expect(spec).toMatchObject({ image: 'alpine:3', pull: 'missing', entrypoint: ['/bin/echo'] });
    expect(spec?.cmd).toEqual(['one', 'two three', '$HOME', '>', 'x']);
    expect(spec?.env).toMatchObject({ MINE: '1', INPUT_OTHER: '2', GITHUB_WORKSPACE: spec?.workdir });
    expect(spec?.env).not.toHaveProperty('PATH');
    expect(spec?.env).not.toHaveProperty('HOME');
    expect(spec?.env).not.toHaveProperty('INPUT_ARGS');
  });

  it('reads its command files, and its exit code', async () => {
    const { job } = await run(
      `
- id: a
  uses: docker://alpine
  with: { entrypoint: sh, args: "-c 'echo made=1 >> \\"$GITHUB_OUTPUT\\"; echo V=2 >> \\"$GITHUB_ENV\\"'" }
- { uses: "docker://alpine", with: { entrypoint: sh, args: "-c 'exit 5'" }, continue-on-error: true }
- run: echo "got \${{ steps.a.outputs.made }} $V"`,
      {},
    );
    expect(job.steps(2)).toContain('got 1 2');
    expect(job.results()).toEqual(['success/success', 'failure/success', 'success/success']);
    expect(job.text()).toContain('exit code 5');
  });

  it('removes the container, whatever became of it', async () => {
    const { backend } = await run(`- { uses: "docker://alpine", with: { entrypoint: "false" } }`, {});
    expect(backend.log.filter(({ method }) => method === 'removeContainer')).toHaveLength(1);
  });
});

it('is refused with an entrypoint where the label knows of none, before anything of it starts', async () => {
  const { job, specs } = await run(
    '- { uses: "docker://alpine", with: { entrypoint: sh } }',
    {},
    { ...native, fields: ['env'] },
  );
  expect(job.text()).toContain('and its containers lack entrypoint');
  expect(specs).toEqual([]);
});

describe('a Docker action', () => {
  const files = {
    'mine/action.yml': `
name: Mine
inputs: { who: { default: nobody }, word: {} }
runs:
  using: docker
  image: Dockerfile
  entrypoint: sh
  pre-entrypoint: echo
  post-entrypoint: echo
  args: ['-c', 'echo "\${{ inputs.who }} $FROM_ACTION $INPUT_WHO \${{ inputs.word }}"']
  env: { FROM_ACTION: "for \${{ inputs.who }}" }`,
    'mine/Dockerfile': 'FROM scratch',
    'mine/.dockerignore': 'big\n*.md\nDockerfile',
    'mine/big': 'x'.repeat(100_000),
    'mine/README.md': 'x'.repeat(100_000),
  };

  it('is built without what is ignored, and gets inputs in args and env', async () => {
    const { job, specs, builds } = await run('- { uses: ./mine, with: { who: me, word: "a b" } }', files);
    expect(job.result).toBe('success');
    expect(job.steps(0)).toContain('me for me me a b');
    expect(builds).toMatchObject([{ dockerfile: 'Dockerfile', buildArgs: {} }]);
    expect((builds[0] as { contextBytes: number }).contextBytes).toBeLessThan(20_000);
    expect(specs.map(({ pull }) => pull)).toEqual(['never', 'never']);
    expect(new Set(specs.map(({ image }) => image)).size).toBe(1);
  });

  it('runs its post-entrypoint after the job, and its own entrypoint only where the step names none', async () => {
    const { job, specs } = await run(
      '- uses: ./mine\n- { uses: ./mine, with: { entrypoint: printf, args: "%s- x" } }',
      files,
    );
    expect(job.steps(1)).toContain('x-');
    expect(specs.map(({ entrypoint }) => entrypoint?.[0])).toEqual(['sh', 'printf', 'echo', 'echo']);
    expect(job.changes.at(-1)).toMatchObject({ stage: 'post', index: 0, outcome: 'success' });
  });

  it('may be a Dockerfile alone, or name another one', async () => {
    const { job, builds } = await run('- uses: ./alone\n- uses: ./other', {
      'alone/Dockerfile': 'FROM scratch',
      'other/action.yml': 'runs: { using: docker, image: docker/Own.Dockerfile }',
      'other/docker/Own.Dockerfile': 'FROM scratch',
    });
    expect(job.result).toBe('success');
    expect(builds).toMatchObject([{ dockerfile: 'Dockerfile' }, { dockerfile: 'Own.Dockerfile' }]);
  });

  it.each([
    ['missing', 'Dockerfile', 'expected the Dockerfile "Dockerfile" beside the action, found none'],
    ['outside', '../../../etc/passwd', 'which leads out of it'],
  ])('says that its Dockerfile is %s', async (_what, image, message) => {
    const { job } = await run('- uses: ./a', { 'a/action.yml': `runs: { using: docker, image: "${image}" }` });
    expect(job.result).toBe('failure');
    expect(job.text()).toContain(message);
  });

  it.each<[string, ContainerSupport, string]>([
    ['no containers', { via: 'none' }, 'Mine is a Docker action. Nothing of the step was started'],
    ['none for steps', { ...native, steps: false, build: false }, 'and it has no containers for steps'],
    ['no builds', { ...native, build: false }, 'and it cannot build images'],
    ['no entrypoints', { ...native, fields: ['env', 'cmd'] }, 'and its containers lack entrypoint'],
  ])('is refused by a label with %s, before anything of it starts', async (_what, containers, message) => {
    const { job, backend } = await run('- uses: ./mine', files, containers);
    expect(job.result).toBe('failure');
    expect(job.text()).toContain(message);
    expect(backend.log.map(({ method }) => method)).not.toContain('buildImage');
  });
});
