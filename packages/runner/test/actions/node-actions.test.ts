import { eventually } from '@forgejo-runner/testkit';
import { describe, expect, it } from 'vitest';
import { holdLimit } from '../hold-limit.ts';
import { runSteps, startYaml, jobOf } from '../run-yaml.ts';

/** Says its stage and what it sees, writes the command files as `@actions/core` does. */
const script = (stage: string, more = '') => `
const { appendFileSync } = require('node:fs');
const file = (name, text) => appendFileSync(process.env['GITHUB_' + name], text + '\\n');
const input = (name) => process.env['INPUT_' + name.replace(/ /g, '_').toUpperCase()] ?? '';
console.log('${stage} of ' + input('who') + ' state=' + (process.env.STATE_seen ?? 'none'));
${more}
`;

const action = (runs: string, inputs = 'who: { default: nobody }') =>
  `name: Mine\ninputs: { ${inputs} }\nruns: { using: node20, main: main.js, ${runs} }\n`;

/** An action with all stages; its main saves state for its post. */
function threeStages(more = '') {
  return {
    'mine/action.yml': action(`post: post.js${more}`),
    'mine/main.js': script('main', "file('STATE', 'seen=' + input('who')); file('OUTPUT', 'said=' + input('who'));"),
    'mine/post.js': script('post'),
  };
}

function said(job: { steps: (index?: number) => readonly string[] }): readonly string[] {
  return job.steps().filter((row) => /^(?:pre|main|post|run)\b/.test(row));
}

describe('inputs and command files', () => {
  it('gives inputs by name, upper case, with spaces replaced, and takes outputs, env, path and summary', async () => {
    const files = {
      'a/action.yml': action('', 'my input: {}, other: { default: "${{ github.event_name }}!" }, DASH-ed: {}'),
      'a/main.js': `${script('main')}
        console.log([input('my input'), input('other'), input('dash-ed')].join('|'));
        file('OUTPUT', 'x<<EOF\\nline 1\\nline 2\\nEOF'); file('ENV', 'MADE=by action'); file('PATH', '/made/by/action');
        file('STEP_SUMMARY', '# Done');`,
    };
    const ran = await runSteps(
      `
- id: a
  uses: ./a
  with: { MY INPUT: 1, dash-ed: "a b" }
- run: 'echo "got $MADE [\${{ steps.a.outputs.x }}] $PATH"'`,
      { files, github: { event_name: 'push' } },
    );
    const job = ran.job();
    expect(job.result).toBe('success');
    expect(job.text()).toContain('1|push!|a b');
    expect(job.text()).toMatch(/got by action \[line 1\nline 2\] \/made\/by\/action:/);
    expect(job.summaries).toEqual(['# Done\n']);
  });

  it('tells where it comes from and where it lies', async () => {
    const files = {
      'a/action.yml': action(''),
      'a/main.js':
        "const e = process.env; console.log('run', [e.GITHUB_ACTION_PATH, e.GITHUB_ACTION_REPOSITORY, e.GITHUB_ACTION_REF].join('|'), process.cwd(), __dirname)",
    };
    const [row = ''] = said((await runSteps('- uses: ./a', { files })).job());
    const [, path, cwd, folder] = /^run (.*)\|\| (.*) (.*)$/.exec(row) ?? [];
    expect(path).toBe(`${cwd}/a`);
    expect(folder).toBe(path);
  });

  it('takes names and values that no variable can have', async () => {
    const files = { 'a/action.yml': action(''), 'a/main.js': `${script('main')}; file('STATE', 'a b=1');` };
    const ran = await runSteps(
      String.raw`- { uses: ./a, with: { "x=y": 1, "": 2, "n\0": 3, "v": "a\0b", who: "ü" } }`,
      { files },
    );
    expect(ran.job().result).toBe('success');
    expect(ran.job().text()).toContain('main of ü');
  });

  it('shows deprecation, unexpected and missing inputs', async () => {
    const inputs = 'old: { deprecationMessage: use new }, need: { required: true }';
    const files = { 'a/action.yml': action('', inputs), 'a/main.js': '' };
    const ran = await runSteps('- { uses: ./a, with: { old: 1, need: 2, odd: 3 } }', { files });
    expect(ran.job().text()).toMatch(/\[warning\]The input "old" of Mine is deprecated: use new/);
    expect(ran.job().text()).toMatch(/\[warning\]Unexpected input "odd": Mine has the inputs "old", "need"/);
    const failed = await runSteps('- uses: ./a', { files });
    expect(failed.job().result).toBe('failure');
    expect(failed.job().text()).toContain('expected the input "need", which Mine requires, found none');
  });

  it('does not let a default read secrets or variables', async () => {
    const files = { 'a/action.yml': action('', 'x: { default: "${{ secrets.KEY }}" }'), 'a/main.js': '' };
    const ran = await runSteps('- uses: ./a', { files, secrets: { KEY: 'hunter2' } });
    expect(ran.job().result).toBe('failure');
    expect(ran.job().text()).toMatch(/secrets/);
  });
});

describe('post steps', () => {
  it('run in reverse order, with the state of their own main, after the steps of the job', async () => {
    const ran = await runSteps(
      `
- { uses: ./mine, with: { who: first } }
- { uses: ./mine, with: { who: second } }
- run: echo run`,
      { files: threeStages() },
    );
    const job = ran.job();
    expect(said(job)).toEqual([
      'main of first state=none',
      'main of second state=none',
      'run',
      'post of second state=second',
      'post of first state=first',
    ]);
    const posts = job.changes.filter((change) => 'stage' in change && change.stage === 'post');
    expect(posts.map(({ kind, index, name }) => [kind, index, name])).toEqual([
      ['started', 1, 'Post Run ./mine'],
      ['finished', 1, 'Post Run ./mine'],
      ['started', 0, 'Post Run ./mine'],
      ['finished', 0, 'Post Run ./mine'],
    ]);
    expect(job.rows.find(({ text }) => text.startsWith('post of first'))?.section).toEqual({
      kind: 'step',
      index: 0,
      stage: 'post',
    });
  });

  it('run after a failure, and not for steps that did not run', async () => {
    const ran = await runSteps(
      `
- { uses: ./mine, with: { who: ran } }
- run: exit 1
- { uses: ./mine, with: { who: skipped } }`,
      { files: threeStages() },
    );
    expect(ran.job().result).toBe('failure');
    expect(said(ran.job())).toEqual(['main of ran state=none', 'post of ran state=ran']);
  });

  it.each([
    ['success()', ['main of nobody state=none']],
    ['failure()', ['main of nobody state=none', 'post of nobody state=nobody']],
    ["env.WANTED == 'yes'", ['main of nobody state=none', 'post of nobody state=nobody']],
    ["runner.os == 'none'", ['main of nobody state=none']],
  ])('run after a failure if post-if: %s says so', async (condition, expected) => {
    const files = threeStages(`, post-if: "${condition}"`);
    const ran = await runSteps('- { uses: ./mine, env: { WANTED: yes } }\n- run: exit 1', { files });
    expect(said(ran.job())).toEqual(expected);
  });

  it('fail the job when they fail, and all others still run', async () => {
    const files = {
      ...threeStages(),
      'bad/action.yml': action('post: post.js'),
      'bad/main.js': '',
      'bad/post.js': 'process.exit(3)',
    };
    const ran = await runSteps('- uses: ./mine\n- uses: ./bad', { files });
    expect(ran.job().result).toBe('failure');
    expect(said(ran.job())).toContain('post of nobody state=nobody');
    expect(ran.job().text()).toContain('##[error]Process completed with exit code 3');
  });

  it('run with the definition that the main stage had', async () => {
    const ran = await runSteps('- uses: ./mine\n- run: rm mine/action.yml', { files: threeStages() });
    expect(said(ran.job())).toEqual(['main of nobody state=none', 'post of nobody state=nobody']);
  });

  it('run within the grace time of a job that is cancelled, and end with it', async () => {
    const cancel = new AbortController();
    const files = {
      ...threeStages(),
      'endless/action.yml': action('post: post.js'),
      'endless/main.js': '',
      'endless/post.js': "console.log('post began'); setInterval(() => {}, 1000)",
    };
    const steps = '- uses: ./mine\n- uses: ./endless\n- run: echo run; sleep 1000';
    const started = await startYaml(jobOf(steps), { files, signal: cancel.signal, graceMs: 3000 });
    await eventually(() => started.jobs[0]?.text().includes('run\n') || started.jobs[0]?.text().endsWith('run'), {
      timeoutMs: 30_000,
    });
    cancel.abort();
    await started.done;
    const job = started.job();
    expect(job.result).toBe('cancelled');
    expect(said(job)).toContain('post began');
  }, 60_000);

  it('run for a job that is cancelled', async () => {
    const cancel = new AbortController();
    const started = await startYaml(jobOf('- uses: ./mine\n- run: echo run; sleep 1000'), {
      files: threeStages(),
      signal: cancel.signal,
    });
    await eventually(() => started.jobs[0]?.steps(1).includes('run'), { timeoutMs: 30_000 });
    cancel.abort();
    await started.done;
    expect(started.job().result).toBe('cancelled');
    expect(said(started.job()).at(-1)).toBe('post of nobody state=nobody');
  });
});

describe('composite actions', () => {
  it('have no post stage where nothing inside of them has one', async () => {
    const files = {
      'outer/action.yml': 'runs: { using: composite, steps: [{ uses: ./inner }] }',
      'inner/action.yml': 'runs: { using: composite, steps: [{ run: "true", shell: sh }] }',
    };
    const { changes } = (await runSteps('- uses: ./outer', { files })).job();
    expect(changes.map(({ kind, stage }) => [kind, stage])).toEqual([
      ['started', 'main'],
      ['finished', 'main'],
    ]);
  });

  it('run the post steps of those inside, in reverse order, as one step of the job', async () => {
    const files = {
      ...threeStages(),
      'outer/action.yml': `
inputs: { name: {} }
runs:
  using: composite
  steps:
    - { uses: ./mine, with: { who: "\${{ inputs.name }} 1" } }
    - { uses: ./inner, with: { name: "\${{ inputs.name }} 2" } }`,
      'inner/action.yml': `
inputs: { name: {} }
runs: { using: composite, steps: [{ uses: ./mine, with: { who: "\${{ inputs.name }}" } }] }`,
    };
    const ran = await runSteps('- { uses: ./outer, with: { name: a } }\n- { uses: ./mine, with: { who: b } }', {
      files,
    });
    expect(ran.job().result).toBe('success');
    expect(said(ran.job())).toEqual([
      'main of a 1 state=none',
      'main of a 2 state=none',
      'main of b state=none',
      'post of b state=b',
      'post of a 2 state=a 2',
      'post of a 1 state=a 1',
    ]);
    const posts = ran.job().changes.filter((change) => change.kind === 'finished' && change.stage === 'post');
    expect(posts.map(({ index }) => index)).toEqual([1, 0]);
  });

  it('fail when a post step inside fails', async () => {
    const files = {
      'outer/action.yml': 'runs: { using: composite, steps: [{ uses: ./bad }] }',
      'bad/action.yml': action('post: post.js'),
      'bad/main.js': '',
      'bad/post.js': 'process.exit(3)',
    };
    const ran = await runSteps('- uses: ./outer', { files });
    expect(ran.job().result).toBe('failure');
    expect(ran.job().changes.findLast(({ kind }) => kind === 'finished')).toMatchObject({
      stage: 'post',
      outcome: 'failure',
    });
  });
});

describe('limits', () => {
  it('run the post steps inside of an action whose time was over', async () => {
    const files = {
      ...threeStages(),
      'outer/action.yml':
        'runs: { using: composite, steps: [{ uses: ./mine }, { run: echo slow; sleep 1000, shell: sh }] }',
    };
    using limit = holdLimit(61);
    const ran = await startYaml(jobOf('- { uses: ./outer, timeout-minutes: 61 }'), { files });
    await eventually(() => ran.job().steps().includes('slow'));
    limit.end();
    await ran.done;
    expect(ran.job().result).toBe('failure');
    expect(said(ran.job())).toEqual(['main of nobody state=none', 'post of nobody state=nobody']);
  });
});

describe('what cannot run', () => {
  it('says that the environment has no node', async () => {
    const files = { 'a/action.yml': action(''), 'a/main.js': '' };
    const ran = await runSteps('- { uses: ./a, env: { PATH: /nowhere } }', { files });
    expect(ran.job().result).toBe('failure');
    expect(ran.job().text()).toContain(
      'expected node in the environment for Mine (using: node20), found no such program on its PATH',
    );
  });

  it('warns about a node that is too old, and runs it', async () => {
    const files = {
      'a/action.yml': 'name: Mine\nruns: { using: node99, main: main.js }',
      'a/main.js': "console.log('run')",
    };
    const ran = await runSteps('- uses: ./a', { files });
    expect(ran.job().result).toBe('success');
    expect(ran.job().text()).toMatch(/\[warning\]Mine asks for Node.js 99, and the environment has v\d+/);
    expect(said(ran.job())).toEqual(['run']);
  });

  it('refuses a script outside of the action', async () => {
    const files = { 'a/action.yml': 'runs: { using: node20, main: ../../../etc/x.js }' };
    const ran = await runSteps('- uses: ./a', { files });
    expect(ran.job().text()).toContain(
      'expected a file of the action, found "../../../etc/x.js", which leads out of it',
    );
  });

  it('refuses kinds that nobody knows', async () => {
    const ran = await runSteps('- uses: ./a', { files: { 'a/action.yml': 'runs: { using: deno2, main: x.ts }' } });
    expect(ran.job().text()).toContain('found using: deno2');
  });

  it('fails with the exit code of the script', async () => {
    const files = { 'a/action.yml': action(''), 'a/main.js': 'process.exit(7)' };
    const ran = await runSteps('- uses: ./a', { files });
    expect(ran.job().results()).toEqual(['failure/failure']);
    expect(ran.job().text()).toContain('exit code 7');
  });
});
