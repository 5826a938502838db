import { Code, ConnectError } from '@connectrpc/connect';
import { create, toBinary } from '@bufbuild/protobuf';
import { BackendError, type BackendErrorInit } from '@forgejo-runner/core';
import { describe, expect, it } from 'vitest';
import { ErrorDetailSchema } from './gen/forgejo/runner/backend/v1/backend_pb.ts';
import { errorOfStatus, isConnectionLoss, statusOfError } from './platform-errors.ts';

/** What the other side gets: details as bytes, and the mark of what came over the wire. */
function overTheWire(sent: ConnectError): ConnectError {
  const received = new ConnectError(sent.rawMessage, sent.code);
  received.isWireError = true;
  received.details = sent.details.map((detail) => {
    if (!('desc' in detail)) return detail;
    const value = toBinary(detail.desc, create(detail.desc, detail.value));
    return { type: detail.desc.typeName, value };
  });
  return received;
}

describe('an error across the wire', () => {
  it.each([
    'unsupported',
    'config',
    'label',
    'plan',
    'capacity',
    'image',
    'not_found',
    'unavailable',
    'timeout',
    'lost',
    'auth',
    'internal',
    'cancelled',
  ])('stays %s with everything that is known of it', (code) => {
    const init: BackendErrorInit = {
      retryable: true,
      retryAfterMs: 1500,
      resource: 'web',
      hint: 'try again',
      unmet: ['a', 'b'],
    };
    const found = errorOfStatus(overTheWire(statusOfError(new BackendError(code, 'it failed', init))), 'a call');
    expect(found).toMatchObject({ code, message: 'a call: it failed', details: init });
  });

  it('is internal where the server threw anything else', () => {
    expect(errorOfStatus(overTheWire(statusOfError(new TypeError('oops'))), 'a call')).toMatchObject({
      code: 'internal',
      message: 'a call: oops',
    });
  });

  it.each([
    [Code.FailedPrecondition, 'unsupported'],
    [Code.InvalidArgument, 'plan'],
    [Code.NotFound, 'not_found'],
    [Code.PermissionDenied, 'auth'],
    [Code.Unauthenticated, 'auth'],
    [Code.ResourceExhausted, 'capacity'],
    [Code.Unavailable, 'unavailable'],
    [Code.DeadlineExceeded, 'timeout'],
    [Code.Aborted, 'lost'],
    [Code.Canceled, 'cancelled'],
    [Code.Unimplemented, 'unsupported'],
    [Code.Unknown, 'internal'],
    [Code.DataLoss, 'internal'],
  ])('of a server that knows no details is understood by its status %s', (status, code) => {
    expect(errorOfStatus(overTheWire(new ConnectError('no', status)), 'a call').code).toBe(code);
  });

  it('keeps nothing that a terminal would obey, and only words of the contract', () => {
    const sent = new ConnectError('\u001b[2Jbad\u0000', Code.Internal, undefined, [
      { desc: ErrorDetailSchema, value: { code: 'made-up', resource: '\u001b[0m' } },
    ]);
    const found = errorOfStatus(overTheWire(sent), 'a call');
    expect([found.code, found.message, found.details.resource]).toEqual([
      'internal',
      'a call: \ufffd[2Jbad\ufffd',
      '\ufffd[0m',
    ]);
  });

  it('of a connection that broke is told from one that a server sent', () => {
    expect(isConnectionLoss(new ConnectError('reset', Code.Canceled))).toBe(true);
    expect(isConnectionLoss(new ConnectError('refused', Code.Unavailable))).toBe(true);
    expect(isConnectionLoss(overTheWire(new ConnectError('later', Code.Unavailable)))).toBe(false);
    expect(isConnectionLoss(new ConnectError('too large', Code.ResourceExhausted))).toBe(false);
    expect(errorOfStatus(new ConnectError('too large', Code.ResourceExhausted), 'a call').code).toBe('internal');
    expect(errorOfStatus(new ConnectError('reset', Code.Canceled), 'a call').code).toBe('unavailable');
  });
});
