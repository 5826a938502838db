import { BackendError, type BackendErrorInit } from '@forgejo-runner/core';
import { engineError, engineWords, statusOf } from '../platform-errors.ts';

/** What a failure to get an image is about. */
export interface ImageFailure {
  readonly image: string;
  readonly registry: string;
  readonly platform?: string;
  /** Whose credentials the registry was shown. */
  readonly login?: 'workflow' | 'administrator';
}

interface Rule {
  readonly pattern: RegExp;
  readonly error: (failure: ImageFailure, said: string) => BackendError;
}

/** Registries are asked again by whoever wants the image: after a while they mostly answer. */
const retryable = { retryable: true };
const rateLimitMs = 30_000;

// In this order: a text of a registry often has the words of several.
const rules: readonly Rule[] = [
  {
    pattern: /no space left on device|disk quota exceeded/i,
    error: ({ image }, said) =>
      new BackendError('unavailable', `the machine of the engine has no room for image "${image}": ${said}`, {
        resource: image,
        hint: 'remove images that nobody needs, as "forgejo-runner prune" does, or give the engine more disk',
      }),
  },
  {
    pattern: /toomanyrequests|too many requests|rate limit/i,
    error: (failure, said) =>
      imageError(failure, said, {
        ...retryable,
        retryAfterMs: rateLimitMs,
        hint: 'log in to the registry, or use a mirror of it',
      }),
  },
  {
    pattern:
      /no matching manifest|no image found in (?:manifest list|image index)|no match for platform|does not match the (?:specified|requested) platform|image operating system/i,
    error: (failure, said) => imageError(failure, said, { hint: otherPlatform(failure) }),
  },
  {
    pattern: /gave HTTP response to HTTPS client/i,
    error: (failure, said) =>
      imageError(failure, said, {
        hint: `have ${failure.registry} use TLS, or name it in "insecure-registries" of the engine`,
      }),
  },
  {
    pattern: /x509:|certificate signed by unknown authority|certificate has expired/i,
    error: (failure, said) =>
      imageError(failure, said, { hint: `have the engine trust the certificate of ${failure.registry}` }),
  },
  {
    pattern:
      /manifest unknown|manifest for .* not found|name unknown|not found: manifest|repository name not known|no such image|manifest invalid/i,
    error: (failure, said) => imageError(failure, said, { hint: 'correct the name or tag of the image' }),
  },
  {
    pattern:
      /unauthorized|authentication required|no basic auth credentials|incorrect username or password|denied|forbidden|invalid username\/password/i,
    error: authError,
  },
  {
    pattern:
      /connection refused|no such host|i\/o timeout|TLS handshake timeout|connection reset|context deadline exceeded|Client\.Timeout|unexpected EOF|network is unreachable|no route to host|server misbehaving|(?:status|code):? 5\d\d|received unexpected HTTP status: 5|Service Unavailable|Bad Gateway|Internal Server Error|temporary failure/i,
    error: (failure, said) =>
      imageError(failure, said, {
        ...retryable,
        hint: `look whether the machine of the engine reaches ${failure.registry}`,
      }),
  },
  {
    pattern: /not found/i,
    error: (failure, said) => imageError(failure, said, { hint: 'correct the name or tag of the image' }),
  },
  {
    pattern: /invalid reference format|invalid tag format/i,
    error: ({ image }, said) =>
      new BackendError('plan', `the engine does not take the name "${image}": ${said}`, {
        resource: image,
        hint: 'correct the name of the image',
      }),
  },
];

/** What the text of an engine says about an image that it could not get; undefined where it says nothing that we know. */
export function knownImageError(said: string, failure: ImageFailure): BackendError | undefined {
  return rules.find(({ pattern }) => pattern.test(said))?.error(failure, said);
}

/** What went wrong while an image was pulled. */
export function pullError(error: unknown, failure: ImageFailure): BackendError {
  const said = engineWords(error);
  // Who did not even get an answer has a problem with the engine and not with the image.
  const isAnswer = statusOf(error) !== undefined || error instanceof EngineMessage;
  const known = isAnswer ? knownImageError(said, failure) : undefined;
  if (known !== undefined) return known;
  if (!(error instanceof EngineMessage)) return engineError(error, `pull image "${failure.image}"`, failure.image);
  return imageError(failure, said, { hint: 'look at the log of the engine' });
}

/** An error that an engine writes into the stream of its answer. */
export class EngineMessage extends Error {}

function imageError(
  { image, platform, registry }: ImageFailure,
  said: string,
  details: BackendErrorInit,
): BackendError {
  const what = platform === undefined ? `image "${image}"` : `image "${image}" for ${platform}`;
  return new BackendError('image', `expected ${what} from ${registry}, found: ${said}`, {
    resource: image,
    ...details,
  });
}

function authError(failure: ImageFailure, said: string): BackendError {
  const { image, registry, login } = failure;
  // The default registry says the same of an image that is not there and of one that nobody may see.
  const isUnclear = /does not exist|may require/i.test(said);
  if (login === undefined && isUnclear) {
    return imageError(failure, said, {
      hint: 'correct the name of the image; where it is a private one, give it "credentials"',
    });
  }
  const hints = {
    none: `give the container "credentials", or log the user of the runner in to ${registry} with "docker login"`,
    workflow: 'correct username and password in "credentials" of the container',
    administrator: `log the user of the runner in to ${registry} again with "docker login"`,
  };
  const who = {
    none: 'without credentials',
    workflow: 'with the credentials of the workflow',
    administrator: 'with the login of the runner',
  };
  const whose = login ?? 'none';
  return new BackendError('auth', `${registry} does not hand out image "${image}" ${who[whose]}: ${said}`, {
    resource: image,
    hint: hints[whose],
  });
}

function otherPlatform({ platform }: ImageFailure): string {
  return platform === undefined
    ? 'choose an image for the platform of the engine'
    : `choose an image that is made for ${platform}, or another platform`;
}
