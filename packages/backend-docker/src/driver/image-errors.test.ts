import { describe, expect, it } from 'vitest';
import { EngineMessage, type ImageFailure, knownImageError, pullError } from './image-errors.ts';

const failure: ImageFailure = { image: 'acme/app:1', registry: 'code.example' };
const denied =
  "pull access denied for acme/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied";

describe('what an engine says about an image', () => {
  it.each([
    ['manifest for acme/app:1 not found: manifest unknown: manifest unknown', 'image', undefined],
    ['received unexpected HTTP status: 503 Service Unavailable', 'image', true],
    ['Get "https://code.example/v2/": dial tcp 10.0.0.1:443: connect: connection refused', 'image', true],
    ['Get "https://code.example/v2/": dial tcp: lookup code.example: no such host', 'image', true],
    ['net/http: TLS handshake timeout', 'image', true],
    ['toomanyrequests: You have reached your pull rate limit', 'image', true],
    ['no matching manifest for linux/arm64/v8 in the manifest list entries', 'image', undefined],
    ['http: server gave HTTP response to HTTPS client', 'image', undefined],
    ['x509: certificate signed by unknown authority', 'image', undefined],
    ['unauthorized: authentication required', 'auth', undefined],
    ['Get "https://code.example/v2/acme/app/manifests/1": no basic auth credentials', 'auth', undefined],
    [denied, 'image', undefined],
    ['write /var/lib/docker/tmp/x: no space left on device', 'unavailable', undefined],
    ['invalid reference format', 'plan', undefined],
    // Podman's words.
    [
      'initializing source docker://code.example/acme/app:1: reading manifest 1 in code.example/acme/app: manifest unknown',
      'image',
      undefined,
    ],
    [
      'initializing source docker://code.example/acme/app:1: unable to retrieve auth token: invalid username/password: unauthorized',
      'auth',
      undefined,
    ],
    [
      'choosing an image from manifest list docker://code.example/acme/app:1: no image found in manifest list for architecture s390x, variant "", OS linux',
      'image',
      undefined,
    ],
    ['pinging container registry code.example: Get "https://code.example/v2/": dial tcp: i/o timeout', 'image', true],
  ])('%s: %s', (said, code, retryable) => {
    const error = knownImageError(said, failure);
    expect({ code: error?.code, retryable: error?.details.retryable }).toEqual({ code, retryable });
    expect(error?.message).toContain(said.slice(0, 300));
    expect(error?.details.hint).toMatch(/\w/);
  });

  it('blames whoever gave the credentials', () => {
    expect(knownImageError(denied, { ...failure, login: 'workflow' })).toMatchObject({
      code: 'auth',
      details: { hint: expect.stringContaining('"credentials" of the container') },
    });
    expect(knownImageError(denied, { ...failure, login: 'administrator' })).toMatchObject({
      code: 'auth',
      details: { hint: expect.stringContaining('docker login') },
    });
  });

  it('names the platform', () => {
    const error = knownImageError('no matching manifest for linux/arm64/v8', { ...failure, platform: 'linux/arm64' });
    expect(error?.message).toContain('image "acme/app:1" for linux/arm64');
    expect(error?.details.hint).toContain('linux/arm64');
  });

  it('that nobody knows blames the image, and the engine where it does not answer', () => {
    expect(pullError(new EngineMessage('something new'), failure)).toMatchObject({
      code: 'image',
      message: expect.stringContaining('something new'),
    });
    expect(
      pullError(Object.assign(new Error('connect ECONNREFUSED /x.sock'), { code: 'ECONNREFUSED' }), failure),
    ).toMatchObject({ code: 'unavailable' });
    expect(
      pullError(
        Object.assign(new Error('(HTTP code 404) unexpected - manifest unknown '), { statusCode: 404 }),
        failure,
      ),
    ).toMatchObject({ code: 'image' });
  });
});
