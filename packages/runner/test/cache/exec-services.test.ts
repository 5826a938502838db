import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { eventually } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { execInFolder } from '../run-main.ts';

// What jobs of `exec` reach, with the clients of npm in steps.

const folder = execInFolder();
const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url));

/** A step that runs a module, on a server that clients take for GitHub. */
function script(name: string): string {
  return `- run: node ${name}\n  env: { GITHUB_SERVER_URL: "https://github.com", NODE: "${process.execPath}" }`;
}

async function modulesOf(files: Readonly<Record<string, string>>): Promise<void> {
  await folder
    .repository()
    .write(
      Object.fromEntries(
        Object.entries(files).map(([name, text]) => [
          name,
          text.replaceAll(
            /from '(@actions\/\w+)'/g,
            (_all, module: string) => `from '${modules}/${module}/${entry(module)}'`,
          ),
        ]),
      ),
    );
}

function entry(module: string): string {
  return `lib/${module.split('/')[1]}.js`;
}

it('keeps a cache from one run to the next, and artifacts in a folder', async () => {
  await modulesOf({
    'save.mjs': `import { saveCache } from '@actions/cache';
import { writeFileSync, mkdirSync } from 'node:fs';
mkdirSync('deps', { recursive: true }); writeFileSync('deps/a', 'kept');
console.log('saved ' + (await saveCache(['deps'], 'deps-1') > 0));`,
    'restore.mjs': `import { restoreCache } from '@actions/cache';
import { readFileSync, rmSync } from 'node:fs';
rmSync('deps', { recursive: true, force: true });
console.log('restored ' + await restoreCache(['deps'], 'deps-2', ['deps-']) + ' ' + readFileSync('deps/a'));`,
    'upload.mjs': `import artifact from '@actions/artifact';
import { writeFileSync } from 'node:fs';
writeFileSync('out.txt', 'built '.repeat(1000));
const { id, size } = await artifact.uploadArtifact('result', ['out.txt'], '.');
console.log('uploaded ' + id);
await artifact.uploadArtifact('result', ['out.txt'], '.').catch((error) => console.log('again: ' + error.message));
console.log('listed ' + (await artifact.listArtifacts()).artifacts.map(({ name }) => name));
const { downloadPath } = await artifact.downloadArtifact(id, { path: 'got' });
const { readFileSync } = await import('node:fs');
console.log('downloaded ' + readFileSync(downloadPath + '/out.txt', 'utf8').length);`,
    'look.mjs': `for (const name of ['CACHE_URL', 'RESULTS_URL', 'RUNTIME_TOKEN', 'CACHE_SERVICE_V2']) console.log(name, process.env['ACTIONS_' + name] ? 'set' : 'missing');`,
  });
  await folder.workflow([script('look.mjs'), script('save.mjs'), script('upload.mjs')].join('\n'));
  const first = await folder.exec('--artifacts', 'kept');
  expect(first.stdout).toContain('saved true');
  expect(first.stdout).toContain('uploaded 1');
  expect(first.stdout).toContain('again: ');
  expect(first.stdout).toContain('listed result');
  expect(first.stdout).toContain('downloaded 6000');
  for (const name of ['CACHE_URL', 'RESULTS_URL', 'RUNTIME_TOKEN', 'CACHE_SERVICE_V2'])
    expect(first.stdout).toContain(`${name} set`);
  expect(first.stdout).toMatch(/Artifacts\n {2}result \([\d,]+ bytes\): .*kept\/result\.zip/);
  expect((await readFile(folder.repository().join('kept/result.zip'))).subarray(0, 2).toString()).toBe('PK');
  expect(first.code).toBe(0);
  await folder.workflow(script('restore.mjs'));
  const second = await folder.exec();
  expect(second.stdout).toContain('restored deps-1 kept');
  expect(second.stdout).not.toContain('Artifacts');
});

it('keeps artifacts of version 3 as folders, and gives them to later jobs', async () => {
  const client = `import { createRequire } from 'node:module';
const { create } = createRequire('${modules}/')('artifact-v3');
const artifact = create();`;
  await modulesOf({
    'up.mjs': `${client}
import { mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
mkdirSync('out/deep', { recursive: true });
writeFileSync('out/text', 'built '.repeat(50_000));
writeFileSync('out/deep/small', 'x');
writeFileSync('out/deep/raw', randomBytes(200_000));
writeFileSync('out/empty', '');
const sent = await artifact.uploadArtifact('result', ['out/text', 'out/deep/small', 'out/deep/raw', 'out/empty'], 'out');
console.log('failed ' + sent.failedItems.length);`,
    'down.mjs': `${client}
import { readFileSync, statSync } from 'node:fs';
await artifact.downloadArtifact('result', 'got', { createArtifactFolder: false });
console.log('text ' + readFileSync('got/text', 'utf8').length, 'small ' + readFileSync('got/deep/small'), 'raw ' + statSync('got/deep/raw').size, 'empty ' + statSync('got/empty').size);
await artifact.downloadArtifact('none', 'got').catch((error) => console.log('none: ' + error.message));`,
  });
  await folder.workflow(
    '- { run: node up.mjs, env: { GITHUB_RUN_ID: "1" } }\n- { run: node down.mjs, env: { GITHUB_RUN_ID: "1" } }',
  );
  const { code, stdout } = await folder.exec('--artifacts', 'kept');
  expect(stdout).toContain('failed 0');
  expect(stdout).toContain('text 300000 small x raw 200000 empty 0');
  expect(stdout).toContain('none: ');
  expect(code).toBe(0);
  const kept = (path: string): Promise<Buffer> => readFile(folder.repository().join(`kept/result/${path}`));
  expect((await kept('text')).toString()).toBe('built '.repeat(50_000));
  expect([(await kept('deep/raw')).length, (await kept('empty')).length]).toStrictEqual([200_000, 0]);
});

it('lets no request for artifacts lead elsewhere, or end the run', async () => {
  await modulesOf({
    'wild.mjs': `const base = process.env.ACTIONS_RUNTIME_URL + '_apis/';
const headers = { authorization: 'Bearer ' + process.env.ACTIONS_RUNTIME_TOKEN };
const ask = async (method, path, more = {}) => {
  const answer = await fetch(base + path, { method, ...more, headers: { ...headers, ...more.headers } });
  return answer.status;
};
const artifacts = 'pipelines/workflows/1/artifacts';
const put = (path, range, body, more = {}) => ask('PUT', 'resources/Containers/1?itemPath=' + encodeURIComponent(path), { body, headers: { 'content-range': range, ...more } });
console.log('create', await ask('POST', artifacts, { body: '{"Name":"../x"}' }), await ask('POST', artifacts, { body: '[]' }), await ask('POST', artifacts, { body: '{"Name":"a"}' }));
console.log('put', await put('a/../../etc/x', 'bytes 0-0/1', 'x'), await put('b/x', 'bytes 0-0/1', 'x'), await put('a/x', 'bytes 5-1/2', 'x'), await put('a/x', 'bytes 1-1/2', 'x'), await put('a', 'bytes 0-0/1', 'x'));
console.log('packed', await put('a/lie', 'bytes 0-3/4', 'lies', { 'content-encoding': 'gzip' }));
console.log('get', await ask('GET', 'resources/Containers/1?itemPath=none'), await ask('GET', 'resources/Containers/1/content?itemPath=a/none'));
headers.authorization = 'Bearer wrong';
console.log('stranger', await ask('GET', artifacts));`,
  });
  await folder.workflow('- run: node wild.mjs');
  const { code, stdout } = await folder.exec('--artifacts', 'kept');
  expect(stdout).toContain('create 400 400 201');
  expect(stdout).toContain('put 400 404 400 400 400');
  expect(stdout).toContain('packed 201');
  expect(stdout).toContain('get 404 404');
  expect(stdout).toContain('stranger 401');
  expect(code).toBe(0);
  expect(await readFile(folder.repository().join('kept/a/lie'), 'utf8')).toBe('lies');
});

it('shows what the client of @actions/core says: summary, annotations, outputs, variables, secrets', async () => {
  await modulesOf({
    'say.mjs': `import * as core from '@actions/core';
core.setSecret('hunter2x');
core.setOutput('made', ['a', 'b']);
core.exportVariable('MODE', 'several\\nlines');
core.addPath('/made/by/core');
core.warning('careful with hunter2x', { title: 'Lint', file: 'src/a.ts', startLine: 3, startColumn: 5 });
core.startGroup('inside');
core.endGroup();
await core.summary.addHeading('Built hunter2x', 2).addTable([[{ data: 'part', header: true }], ['one']]).addCodeBlock('let x;', 'js').write();
await core.summary.addRaw('and more', true).write();`,
    'read.mjs': `console.log('path ' + process.env.PATH.startsWith('/made/by/core:'), 'mode ' + process.env.MODE.split('\\n'));`,
  });
  const said = script('say.mjs').replace('- run', '- id: say\n  run');
  await folder.workflow(`${said}\n${script('read.mjs')}\n- run: "echo 'made \${{ steps.say.outputs.made }}'"`);
  const { code, stdout } = await folder.exec();
  expect(code).toBe(0);
  expect(stdout).toContain('path true mode several,lines');
  expect(stdout).toContain('made ["a","b"]');
  expect(stdout).not.toContain('hunter2x');
  const summary = stdout.slice(stdout.indexOf('Summary of Run node say.mjs'));
  expect(summary).toContain('<h2>Built ***</h2>');
  expect(summary).toContain('<table><tr><th>part</th></tr><tr><td>one</td></tr></table>');
  expect(summary).toMatch(/<pre lang="js"><code>let x;<\/code><\/pre>\s+\| and more/);
  const annotations = stdout.slice(stdout.lastIndexOf('Summary\n'));
  expect(annotations).toMatch(/src\/a\.ts:3:5.*careful with \*\*\*/);
});

it('hides the tokens of a job in its log', async () => {
  await folder.workflow('- run: echo "token $ACTIONS_RUNTIME_TOKEN at $ACTIONS_CACHE_URL"');
  const { stdout } = await folder.exec();
  expect(stdout).toMatch(/token \*\*\* at http:\/\/[^/]+\/\*\*\*\//);
});

it('offers no cache where the configuration says so', async () => {
  await folder.repository().write({ 'c.yml': 'cache: { enabled: false }' });
  await folder.workflow('- run: echo "cache [$ACTIONS_CACHE_URL]"');
  expect((await folder.exec('-c', 'c.yml')).stdout).toContain('cache []');
});

it('says how an administrator puts right that jobs do not reach the cache', async () => {
  // Nobody has an address of this network.
  await folder.repository().write({ 'c.yml': 'cache: { host: 192.0.2.7, bind: 127.0.0.1 }' });
  await folder.workflow('- run: echo "cache [$ACTIONS_CACHE_URL]"');
  const { stdout } = await folder.exec('-c', 'c.yml');
  expect(stdout).toMatch(
    /Warning: The cache of the runner is not reached from .* at http:\/\/192\.0\.2\.7:\d+.*cache\.host/,
  );
  expect(stdout).toContain('cache []');
});

it('lets a job run without a cache where its port is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  try {
    const port = await eventually(() => (taken.address() as { port: number } | null)?.port);
    await folder.repository().write({ 'c.yml': `cache: { bind: 127.0.0.1, port: ${port} }` });
    await folder.workflow('- run: echo "cache [$ACTIONS_CACHE_URL]"');
    const { code, stdout } = await folder.exec('-c', 'c.yml');
    expect(stdout).toContain('The runner cannot offer its cache at 127.0.0.1');
    expect([code, stdout.includes('cache []')]).toStrictEqual([0, true]);
  } finally {
    taken.close();
  }
});
