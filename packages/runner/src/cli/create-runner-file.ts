import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { formatLabel } from '@forgejo-runner/core';
import { loadConfig } from '../config/load.ts';
import { writeRunnerFile } from '../config/runner-file.ts';
import { openConnection } from '../forgejo/connection.ts';
import { InstanceError } from '../forgejo/failures.ts';
import { clientTimeoutMs, openInstanceClient } from '../forgejo/instance-client.ts';
import { readInstanceUrl } from '../forgejo/instance-url.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import { RequestKey } from '../poll/request-key.ts';
import { quoted, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { untilReachable } from './register.ts';

/** What `create-runner-file` was asked for. */
export interface CreateRunnerFileFlags {
  readonly config?: string;
  readonly instance: string;
  readonly secret: string;
  readonly name?: string;
  readonly connect?: boolean;
}

/** `create-runner-file`: the identity of a runner that the instance was told of by a secret that both share. */
export async function createRunnerFile(flags: CreateRunnerFileFlags, { io }: CommandContext): Promise<number> {
  const { config: path, secret, instance } = flags;
  const uuid = uuidOfSecret(secret);
  const config = await loadConfig(path === undefined ? undefined : resolve(io.cwd, path), { cwd: io.cwd, env: io.env });
  const address = readInstanceUrl(instance);
  const common = { address, codec: 'json', insecure: config.runner.insecure, env: io.env } as const;
  const timeoutMs = clientTimeoutMs(io.env);
  using client = openInstanceClient({ ...common, headers: {}, timeoutMs });
  await untilReachable(client, io);
  const labels = config.labels.filter(({ connection }) => connection === undefined);
  if (flags.connect === true) {
    const log = openProcessLog({ stream: io.stderr, level: 'warn', mask: (text) => text.replaceAll(secret, '***') });
    const fetchTimeoutMs = config.runner.fetchTimeoutMs;
    const identity = { name: 'default', uuid, token: secret, requestKey: new RequestKey(), log };
    using connection = openConnection({ ...common, ...identity, timeoutMs, fetchTimeoutMs });
    await connection
      .declare(
        labels.map(({ name }) => name),
        io.signal,
      )
      .catch((error: unknown) => {
        throw error instanceof InstanceError ? error.toUserError() : error;
      });
  }
  const file = resolve(io.cwd, config.runner.file);
  const written = { id: 0, uuid, token: secret, name: flags.name || hostname(), address: instance };
  await writeRunnerFile(file, { ...written, labels: labels.map((label) => formatLabel(label)) }, io.cwd);
  io.stdout.write(`The identity of the runner is in ${quoted(file)}\n`);
  return exitCodes.success;
}

/** The first 16 characters are the bytes of the UUID, as `forgejo-cli actions register` has it. */
function uuidOfSecret(secret: string): string {
  if (!/^[0-9a-f]{40}$/i.test(secret)) {
    throw new UserError('FRR101', {
      problems: [{ message: 'expected --secret to be 40 hexadecimal digits, found something else' }],
      next: 'openssl rand -hex 20 makes one; give the same to forgejo-cli actions register --secret',
    });
  }
  const hex = Buffer.from(secret.slice(0, 16), 'latin1').toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
