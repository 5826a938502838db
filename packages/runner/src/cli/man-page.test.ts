import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { main } from '../main.ts';

async function output(...argv: readonly string[]): Promise<string> {
  const { io, stdout } = fakeIo();
  expect(await main(argv, io)).toBe(0);
  return stdout();
}

/** Why this machine cannot typeset. In CI that is a failure, elsewhere a reason to skip. */
function whyNot(): string | undefined {
  if (process.env['CI'] !== undefined) return undefined;
  try {
    execFileSync('groff', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs groff';
  }
}

it('is a page of manual section 1, the same each time', async () => {
  const page = await output('man-page');
  expect(page).toMatch(/^\.TH FORGEJO-RUNNER 1 "" "forgejo\\-runner [^"]+" "User Commands"\n\.SH NAME\n/);
  expect(await output('man-page')).toBe(page);
});

it('has each command and each of its flags', async () => {
  const page = (await output('man-page')).replaceAll('\\-', '-');
  const commands = [...(await output('--help')).matchAll(/^ {2}([a-z]+(?:-[a-z]+)*) /gm)].map(([, name = '']) => name);
  expect(commands).toContain('daemon');
  for (const command of commands.filter((name) => name !== 'help')) {
    expect(page).toContain(`\n.SS "forgejo-runner ${command}`);
    const flags = [...(await output(command, '--help')).matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(
      ([, flag]) => flag,
    );
    const section = page.split('\n.SS "').find((part) => part.startsWith(`forgejo-runner ${command} `));
    for (const flag of flags) expect(section).toContain(flag);
  }
});

describe.skipIf(whyNot() !== undefined)(`typeset${whyNot() === undefined ? '' : ` (${whyNot()})`}`, () => {
  it('has no request that roff does not know, and flags that can be copied', async () => {
    const typeset = execFileSync('groff', ['-man', '-Tutf8', '-ww', '-P-cbou'], {
      input: await output('man-page'),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    expect(typeset).toContain('forgejo-runner daemon');
    expect(typeset).toContain('--config <file>');
    expect(typeset).not.toContain('\\');
  });
});
