import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { legacyKeys } from '../daemon/legacy-keys.ts';
import { type ListedSetting, listSettings } from './list-settings.ts';

const page = fileURLToPath(new URL('../../../../docs/reference/config.md', import.meta.url));

const introduction = `# Configuration

For administrators: every key of the file that \`--config\` names. \`forgejo-runner generate-config\` prints one to start from.
This page is made from the same table as that file and the messages; \`vitest -u\` writes it anew.

The keys are those of the Go runner, so its files work unchanged. On top of them each backend has its own section,
\`backend.<id>\`. Every key may be left out, and a key or a section without a value counts as left out. An unknown key is an
error with its line and column and, where one is near, the key that was probably meant: nothing is passed over in silence.

- A **duration** is written as \`3h\`, \`1m30s\`, \`100ms\` or \`0\`.
- A switch is \`true\` or \`false\`; \`yes\`, \`no\`, \`on\` and \`off\` are read as well.
- Where a text is expected it is the text in the file that counts: \`1.10\` stays \`1.10\`.
- \`exec\` heeds \`runner.envs\`, \`runner.env_file\`, \`runner.timeout\`, \`runner.labels\`, \`cache\`, \`container\`, \`host\`, \`plugins\` and \`backend\`; the others
  are for \`daemon\` and \`one-job\`.
- Connections come from one source: \`server.connections\`, the file \`runner.file\`, or flags.
- \`token_url\` and its like name a file: \`file:/etc/runner/token\`. \`$CREDENTIALS_DIRECTORY\` in it is the folder of the credentials
  that systemd gives a service.
- The address of an instance may be a socket: \`unix:///run/forgejo.sock\`, or \`http+unix://%2Frun%2Fforgejo.sock/path\`.
- Codeberg is asked every 30 seconds at most, whatever \`fetch_interval\` says.
- A variable such as \`RUNNER__RUNNER__CAPACITY=2\` wins over the key that it names (\`RUNNER__\`, then the key with \`__\` between its
  parts, in either case), for \`daemon\`, \`one-job\`, \`register\`, \`create-runner-file\` and \`config\`. Lists may have commas.
- \`forgejo-runner config check\` shows which values count and where each comes from. \`config schema\` prints a JSON Schema for editors.
- SIGHUP has a daemon read the file again: \`runner.labels\`, labels of connections, \`backend\`, \`plugins\`, \`runner.capacity\`,
  \`runner.label_capacity\` and \`log.level\` count at once. It says which other keys changed and want a restart.
- A relative path starts at the folder in which the runner was started.
`;

const backends = `
## Sections of backends

\`backend.<id>\` is validated by the backend itself and only when a label uses it; its documentation lists the keys. A section for
a backend that this runner does not have is an error.

\`factory\` in a section makes another backend of a kind that this runner has, with settings, resources and a name of its own:

\`\`\`yaml
runner:
  labels: ["debian:docker://debian", "arm:docker-arm://debian", "rootless:podman://debian"]
backend:
  docker-arm: { factory: docker, endpoint: "tcp://arm.example:2376" }
  podman: { factory: docker, endpoint: "unix:///run/podman/podman.sock" }
\`\`\`

\`plugins.<name>\` makes a backend called \`<name>\` from the backend \`grpc\`.

## Limits for containers

\`container.options\`, \`container.privileged\`, \`container.valid_volumes\` and \`container.force_pull\` hold for every container of every job,
whichever backend makes it, also for those of Docker actions. What a job asks for beyond them is refused before anything starts;
[compatibility.md](../compatibility.md#options-of-containers) has every option.

- A pattern of \`container.valid_volumes\` fits the whole source of a mount: \`cache-*\`, \`/srv/data\`, \`/srv/**\`. As in the Go runner \`*\` goes over slashes
  as well; \`**\` alone allows everything. \`..\`, double slashes and a slash at the end are resolved before the comparison; in paths of
  Windows neither case nor the direction of slashes counts. Symlinks are not: what a path leads to on its machine is for whoever
  can write there, so allow no folder that jobs or strangers can put symlinks into.
- A volume without a name is always allowed: it is made for its container and goes with it.
- \`exec\` allows every volume, as the Go runner does: who calls it could read those files anyway.
- A job that may mount the socket of an engine is as powerful as root on the machine of that engine.
- The secrets \`DOCKER_USERNAME\` and \`DOCKER_PASSWORD\` are secrets like any other. The Go runner sends them to every registry that a job
  names; this one sends nobody's credentials anywhere but those that \`credentials\` of a container names for its own registry.

## Older keys

These keys of the Go runner count for a backend where its own section lacks the key; for \`docker\` also where \`factory\` says so:

| older key | stands for |
|---|---|
`;

it('is documented key by key', async () => {
  const sections = Map.groupBy(
    listSettings().filter(({ setting }) => setting !== undefined),
    ({ path }) => path[0] ?? '',
  );
  const tables = [...sections].map(([name, listed]) => `\n## ${name}\n\n${table(listed)}`);
  const older = legacyKeys.map(
    ({ path, factory, key }) => `| \`${path.join('.')}\` | \`backend.${factory}.${key}\` |\n`,
  );
  await expect(introduction + tables.join('') + backends + older.join('')).toMatchFileSnapshot(page);
});

function table(listed: readonly ListedSetting[]): string {
  const rows = listed.map(({ path, setting }) => {
    const note = setting?.isDeprecated === true ? 'Deprecated. ' : '';
    const byDefault = setting?.byDefault === undefined ? '' : `\`${setting.byDefault}\``;
    const cells = [`\`${path.join('.')}\``, setting?.expected ?? '', byDefault, `${note}${setting?.about ?? ''}`];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  });
  return `| key | value | default | meaning |\n|---|---|---|---|\n${rows.join('')}`;
}
