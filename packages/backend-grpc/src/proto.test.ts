import { readFileSync } from 'node:fs';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  BackendService,
  file_forgejo_runner_backend_v1_backend as ours,
} from './gen/forgejo/runner/backend/v1/backend_pb.ts';
import { file_plugin_v1alpha_plugin as theirs } from './gen/plugin/v1alpha/plugin_pb.ts';

const numbersFile = new URL('../proto/forgejo/runner/backend/v1/numbers.txt', import.meta.url);

function allMessages(file: { readonly messages: readonly DescMessage[] }): readonly DescMessage[] {
  return file.messages.flatMap((message) => [message, ...allMessages({ messages: message.nestedMessages })]);
}

/** `Message.field = number type`, as far as the wire goes. */
function numbersOf(file: { readonly messages: readonly DescMessage[] }): readonly string[] {
  return allMessages(file)
    .filter((message) => !message.typeName.endsWith('Entry'))
    .flatMap(({ name, fields }) => fields.map((field) => `${name}.${field.name} = ${field.number} ${typeOf(field)}`));
}

function typeOf(field: DescField): string {
  const { fieldKind } = field;
  if (fieldKind === 'map') return 'map';
  const one = field.message?.typeName ?? field.enum?.typeName ?? String(field.scalar);
  return fieldKind === 'list' ? `repeated ${one}` : one;
}

describe('our own protocol', () => {
  it('names calls and their messages as every tool of protobuf expects', () => {
    expect(BackendService.typeName).toBe('forgejo.runner.backend.v1.BackendService');
    for (const { name, input, output } of BackendService.methods) {
      expect([input.name, output.name]).toEqual([`${name}Request`, `${name}Response`]);
    }
  });

  it('writes fields in snake case, and enums with a prefix and an unspecified zero', () => {
    for (const { fields } of allMessages(ours))
      for (const { name } of fields) expect(name).toMatch(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/);
    for (const { name, values } of ours.enums) {
      const prefix = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
      expect(values.map((value) => value.name.startsWith(`${prefix}_`))).not.toContain(false);
      expect(values[0]).toMatchObject({ number: 0, name: `${prefix}_UNSPECIFIED` });
    }
  });

  it('keeps every number that was ever published', () => {
    const published = readFileSync(numbersFile, 'utf8').trim().split('\n');
    const now = numbersOf(ours);
    expect(
      published.filter((line) => !now.includes(line)),
      'changed or removed',
    ).toEqual([]);
    // Add new ones to the file in the same commit.
    expect(
      now.filter((line) => !published.includes(line)),
      'new',
    ).toEqual([]);
  });
});

describe('plugin.v1alpha', () => {
  it('has the numbers of the released one', () => {
    expect(numbersOf(theirs).map((line) => line.replace(/ \S*$/, '').replace(/ repeated$/, ''))).toEqual(released);
  });
});

// Source: a compiled descriptor of the Go runner v13.1.
const released = [
  ...named('CapabilitiesResponse', { name: 1 }),
  ...named('ServiceContainer', { name: 1, image: 2, env: 3, ports: 4 }),
  ...named('CreateRequest', {
    image: 1,
    name: 2,
    cap_add: 5,
    cap_drop: 6,
    services: 7,
    backend_options: 8,
    label_arg: 9,
    environment_timeout: 10,
  }),
  ...named('CreateResponse', {
    environment_id: 1,
    root_path: 2,
    act_path: 3,
    tool_cache_path: 4,
    temp_path: 5,
    path_variable_name: 6,
    default_path_variable: 7,
    path_separator: 8,
    environment_case_insensitive: 9,
    os: 10,
    arch: 11,
  }),
  ...named('StartRequest', { environment_id: 1 }),
  ...named('StartOutput', { data: 1, start_complete: 2 }),
  ...named('StartComplete', { image_env: 1 }),
  ...named('ExecRequest', { environment_id: 1, command: 2, env: 3, user: 4, workdir: 5 }),
  ...named('ExecOutput', { data: 1, exec_complete: 2, exec_failed: 3 }),
  ...named('DataChunk', { stream: 1, data: 2 }),
  ...named('ExecComplete', { exit_code: 1 }),
  ...named('ExecFailed', { error_message: 1 }),
  ...named('CopyInChunk', { environment_id: 1, dest_path: 2, data: 3 }),
  ...named('CopyOutRequest', { environment_id: 1, src_path: 2 }),
  ...named('CopyOutChunk', { data: 1 }),
  ...named('RemoveRequest', { environment_id: 1 }),
];

function named(message: string, fields: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(fields).map(([name, number]) => `${message}.${name} = ${number}`);
}
