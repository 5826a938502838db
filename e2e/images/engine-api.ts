import { request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** An answer of an engine. */
export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}

/** What to ask an engine, by the version of its interface that every engine here has. */
export interface EngineQuestion {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Such as `/images/json`. */
  readonly path: string;
  readonly body?: Readable;
}

/** Asks an engine at `unix://…` by its own interface: what a test compares with must not come by our driver. */
export async function askEngine(
  address: string,
  { method = 'GET', path, body }: EngineQuestion,
): Promise<EngineAnswer> {
  if (!address.startsWith('unix://')) throw new Error(`expected an engine at unix://…, found ${address}`);
  const headers = body === undefined ? {} : { 'content-type': 'application/x-tar' };
  const asked = request({ socketPath: address.slice('unix://'.length), path: `/v1.41${path}`, method, headers });
  const answered = new Promise<EngineAnswer>((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
  });
  if (body === undefined) asked.end();
  else await Promise.all([pipeline(body, asked), answered]);
  return answered;
}
