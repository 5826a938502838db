import { describe, expect, it } from 'vitest';
import { runSteps } from '../run-yaml.ts';

describe('actions that use sh', () => {
  it('hand their main to a shell in the workspace, with inputs and command files', async () => {
    const main =
      'echo "hello $INPUT_WHO from ${PWD##*/} by ${GITHUB_ACTION_PATH##*/}"; echo "said=$INPUT_WHO" >> "$GITHUB_OUTPUT"';
    const files = { 'greet/action.yml': `inputs: { who: { default: you } }\nruns:\n  using: sh\n  main: '${main}'\n` };
    const ran = await runSteps(
      '- { id: a, uses: ./greet, with: { who: me } }\n- run: echo "got ${{ steps.a.outputs.said }}"',
      { files },
    );
    expect(ran.job().result).toBe('success');
    expect(ran.job().text()).toMatch(/hello me from workspace by greet\n(.*\n)*.*got me/);
  });

  it('fail their step with the exit code of the shell', async () => {
    const ran = await runSteps('- uses: ./a', { files: { 'a/action.yml': 'runs: { using: sh, main: exit 7 }\n' } });
    expect(ran.job().result).toBe('failure');
    expect(ran.job().text()).toContain('exit code 7');
  });
});

/** Stands in for the compiler: what it "builds" says with what it was called. */
const go = `#!/bin/sh
printf '#!/bin/sh\\necho "built by: %s, in %s, runs in \${PWD##*/} for $INPUT_WHO"\\n' "$*" "\${PWD##*/}" > "$3" && chmod +x "$3"
`;

describe('actions that use go', () => {
  const files = {
    'bin/go': go,
    'tool/main.go': 'package main\n',
    'tool/action.yml': 'inputs: { who: {} }\nruns: { using: go, main: main.go }\n',
  };
  const withGo = '- run: chmod +x bin/go && echo "$PWD/bin" >> "$GITHUB_PATH"\n';

  it('are built where they lie, and run in the workspace', async () => {
    const ran = await runSteps(`${withGo}- { uses: ./tool, with: { who: me } }`, { files });
    expect(ran.job().text()).toMatch(
      /built by: build -o \S+\/action -- \S+\/tool\/main\.go, in tool, runs in workspace for me/,
    );
    expect(ran.job().result).toBe('success');
  });

  it('fail their step when they cannot be built', async () => {
    const broken = { ...files, 'bin/go': '#!/bin/sh\necho "syntax error" >&2; exit 2\n' };
    const ran = await runSteps(`${withGo}- uses: ./tool`, { files: broken });
    expect(ran.job().text()).toMatch(/syntax error\n(.*\n)*.*The action could not be built/);
    expect(ran.job().result).toBe('failure');
  });

  it('stay in the folder of the action', async () => {
    const ran = await runSteps('- uses: ./tool', {
      files: { 'tool/action.yml': 'runs: { using: go, main: ../../../evil.go }\n' },
    });
    expect(ran.job().text()).toContain('which leads out of it');
  });
});
