import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';
import type { ArtifactAnswer, ArtifactService } from './cache-access.ts';
import { CacheRefusal } from './cache-refusal.ts';

/** The instance that artifacts go to. */
export interface ArtifactInstance {
  readonly url: string;
  /** Of the job. */
  readonly token: string;
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** PEM of authorities beside those that the system and Node know. */
  readonly ca?: string;
  /** For `HTTPS_PROXY` and the like. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Lists of artifacts may be long. */
const answerLimitBytes = 16 * 1024 * 1024;
const answerMs = 60_000;

/**
 * Hands calls for artifacts on to the instance of a job, with the job's own token and to this one service. Contents go
 * between the job and the instance directly.
 */
export function instanceArtifacts({ url, token, insecure, ca, env }: ArtifactInstance): ArtifactService {
  const service = `${url.replace(/\/+$/, '')}/twirp/github.actions.results.api.v1.ArtifactService`;
  const isTls = service.startsWith('https:');
  return async ({ method, body }, signal) => {
    // Of this call alone: nothing is left open when the job ends.
    const agent = isTls
      ? new HttpsAgent({
          proxyEnv: env,
          rejectUnauthorized: !insecure,
          ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
        })
      : new HttpAgent({ proxyEnv: env });
    try {
      const answered = Promise.withResolvers<IncomingMessage>();
      const request = (isTls ? httpsRequest : httpRequest)(`${service}/${method}`, {
        agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': body.length,
          authorization: `Bearer ${token}`,
        },
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
      });
      request.once('response', answered.resolve).on('error', answered.reject).end(body);
      const answer = await answered.promise;
      return read(answer.statusCode ?? 502, answer.headers['content-type'] ?? '', await bounded(answer));
    } catch (error) {
      if (error instanceof CacheRefusal) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      // Clients try again after this one.
      return failure(503, 'unavailable', `the instance is not reached: ${reason}`);
    } finally {
      agent.destroy();
    }
  };
}

function read(status: number, contentType: string, body: Uint8Array): ArtifactAnswer {
  // An instance without this service answers with a page for people.
  if (status === 404 && !contentType.startsWith('application/json'))
    return failure(501, 'unimplemented', 'this instance has no artifacts of version 4; use actions of version 3');
  return { status, body, contentType: contentType || 'application/json' };
}

async function bounded(answer: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > answerLimitBytes) throw new CacheRefusal('too-large', 'the answer of the instance is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failure(status: number, code: string, msg: string): ArtifactAnswer {
  return { status, body: Buffer.from(JSON.stringify({ code, msg })), contentType: 'application/json' };
}
