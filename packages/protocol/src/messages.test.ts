import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import {
  FetchTaskRequestSchema,
  PingService,
  RegisterRequestSchema,
  Result,
  RunnerSchema,
  RunnerService,
  RunnerStatus,
  StepStateSchema,
  TaskSchema,
  TaskStateSchema,
  UpdateLogRequestSchema,
  UpdateTaskResponseSchema,
} from './index.ts';

const seconds = (value: number) => ({ seconds: BigInt(value), nanos: 0 });

it('asks for the procedures that instances have', () => {
  const paths = [RunnerService, PingService].flatMap(({ typeName, methods }) =>
    methods.map(({ name, methodKind }) => `${methodKind} /${typeName}/${name}`),
  );
  expect(paths).toEqual([
    'unary /runner.v1.RunnerService/Register',
    'unary /runner.v1.RunnerService/Declare',
    'unary /runner.v1.RunnerService/FetchTask',
    'unary /runner.v1.RunnerService/FetchSingleTask',
    'unary /runner.v1.RunnerService/UpdateTask',
    'unary /runner.v1.RunnerService/UpdateLog',
    'unary /ping.v1.PingService/Ping',
  ]);
});

// Each byte before a value is its field number times eight, and its kind: numbers that were once published must not move.
it.each([
  [
    'a registration',
    toBinary(RegisterRequestSchema, create(RegisterRequestSchema, { name: 'n', token: 't', version: 'v' })),
    '0a016e 120174 2a0176',
  ],
  [
    'labels',
    toBinary(RegisterRequestSchema, create(RegisterRequestSchema, { labels: ['l'], ephemeral: true })),
    '32016c 3801',
  ],
  [
    'a runner',
    toBinary(
      RunnerSchema,
      create(RunnerSchema, { id: 1n, uuid: 'u', token: 't', name: 'n', status: RunnerStatus.IDLE }),
    ),
    '0801 120175 1a0174 22016e 2801',
  ],
  [
    'a task',
    toBinary(
      TaskSchema,
      create(TaskSchema, {
        id: 7n,
        workflowPayload: Uint8Array.of(1),
        context: { a: true },
        secrets: { k: 'v' },
        needs: { j: { result: Result.CANCELLED, outputs: { o: 'x' } } },
        vars: { w: 'x' },
      }),
    ),
    '0807 120101 1a090a070a016112022001 22060a016b120176 320f0a016a120a0a060a016f1201781003 3a060a0177120178',
  ],
  [
    'a state',
    toBinary(
      TaskStateSchema,
      create(TaskStateSchema, {
        id: 1n,
        result: Result.FAILURE,
        startedAt: seconds(1),
        stoppedAt: seconds(2),
        steps: [create(StepStateSchema, { id: 1n, result: Result.SKIPPED, logIndex: 3n, logLength: 4n })],
      }),
    ),
    '0801 1002 1a020801 22020802 2a08 0801 1004 2803 3004',
  ],
  [
    'rows',
    toBinary(
      UpdateLogRequestSchema,
      create(UpdateLogRequestSchema, {
        taskId: 1n,
        index: 2n,
        rows: [{ time: seconds(1), content: 'r' }],
        noMore: true,
      }),
    ),
    '0801 1002 1a070a020801120172 2001',
  ],
])('writes %s in the binary form of all instances', (_, bytes, hex) => {
  expect(Buffer.from(bytes).toString('hex')).toBe(hex.replaceAll(' ', ''));
});

it('writes JSON by the names that instances know', () => {
  const request = create(FetchTaskRequestSchema, { tasksVersion: 9007199254740993n, taskCapacity: 3n });
  expect(toJson(FetchTaskRequestSchema, request)).toEqual({ tasksVersion: '9007199254740993', taskCapacity: '3' });
  expect(toJson(TaskStateSchema, create(TaskStateSchema, { result: Result.SUCCESS }))).toEqual({
    result: 'RESULT_SUCCESS',
  });
});

it('reads an answer of an instance that knows more than we do', () => {
  const read = fromJson(
    UpdateTaskResponseSchema,
    { state: { id: '5', result: 'RESULT_CANCELLED', mood: 'calm' }, sentOutputs: ['a'], later: {} },
    { ignoreUnknownFields: true },
  );
  expect(read.state).toMatchObject({ id: 5n, result: Result.CANCELLED });
  expect(fromBinary(UpdateTaskResponseSchema, toBinary(UpdateTaskResponseSchema, read)).sentOutputs).toEqual(['a']);
});
