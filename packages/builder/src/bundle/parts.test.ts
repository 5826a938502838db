import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import { constantFrom, sample, string } from 'fast-check';
import { expect, it } from 'vitest';
import { inOneFile } from './parts.ts';

const banner = '#!/usr/bin/env node';

function run(file: string): { readonly stdout: string; readonly stderr: string } {
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: 60_000 });
  return { stdout, stderr };
}

it('evaluates a part when it is imported, and only once', async () => {
  await using folder = await openTempFolder();
  const parts = [
    {
      name: 'entry.js',
      code: `import{say}from"./shared.js";say("a");await import("./late.js");await import("./late.js");`,
    },
    { name: 'shared.js', code: `export const say=(text)=>console.log(text);say("shared");` },
    { name: 'late.js', code: `import{say}from"./shared.js";say("late");` },
    { name: 'never.js', code: `this is no code` },
  ];
  await writeFile(folder.join('x.mjs'), inOneFile(parts, banner));
  expect(run(folder.join('x.mjs'))).toEqual({ stdout: 'shared\na\nlate\n', stderr: '' });
});

it('keeps every string of the code', async () => {
  await using folder = await openTempFolder();
  const wild = sample(
    string({
      unit: constantFrom('*/', '//', '/*', '\\', '`', '${', "'", '"', '\n', '\r\n', '\u2028', '}', 'é', '💥'),
    }),
    { numRuns: 200, seed: 1 },
  );
  // As esbuild prints them: separators that end a line only in comments are escaped.
  const literals = wild.map((text) => JSON.stringify(text).replaceAll('\u2028', '\\u2028'));
  const code = `process.stdout.write(JSON.stringify([${literals.join(',\n//*/\n')}]));`;
  await writeFile(folder.join('x.mjs'), inOneFile([{ name: 'entry.js', code }], banner));
  expect(JSON.parse(run(folder.join('x.mjs')).stdout)).toEqual(wild);
});

it('names the part and its line in a stack trace', async () => {
  await using folder = await openTempFolder();
  const code = `const fine=1;\nthrow new Error("broken");`;
  await writeFile(folder.join('x.mjs'), inOneFile([{ name: 'entry.js', code }], banner));
  expect(run(folder.join('x.mjs')).stderr).toContain('x.mjs?entry.js:2:7');
});

it('leaves other files that are imported by the same name alone', async () => {
  await using folder = await openTempFolder();
  await writeFile(folder.join('entry.js'), 'console.log("the other");');
  await writeFile(folder.join('loads.mjs'), 'import "./entry.js";');
  const code = `const place=new URL("./loads.mjs",import.meta.url).href;await import(place);`;
  await writeFile(folder.join('x.mjs'), inOneFile([{ name: 'entry.js', code }], banner));
  expect(run(folder.join('x.mjs'))).toMatchObject({ stdout: 'the other\n' });
});

it('goes on with its own parts when the file is replaced while it runs', async () => {
  await using folder = await openTempFolder();
  const file = folder.join('x.mjs');
  const parts = [
    {
      name: 'entry.js',
      code: `console.log("up");process.stdin.once("data",async()=>{await import("./late.js");process.exit()});`,
    },
    { name: 'late.js', code: `console.log("first version");` },
  ];
  await writeFile(file, inOneFile(parts, banner));
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  await writeFile(file, 'another program');
  child.stdin.write('go\n');
  await closed;
  expect(output).toBe('up\nfirst version\n');
});
