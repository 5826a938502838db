import * as z from 'zod';
import { bareFingerprint, type TlsConfig } from './tls.ts';

/** A section `plugins.<scheme>` or `backend.<id>` as the schema leaves it. */
export interface GrpcConfig {
  readonly address: string;
  /** For the plugin, who alone knows what they mean. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly tls?: TlsConfig;
  readonly insecure_tcp: boolean;
  readonly workdir_parent: string;
}

const file = z.string().min(1, 'expected a file, found an empty text');

/** TLS for one end of a connection. */
export const tlsSchema: z.ZodType<TlsConfig> = z
  .strictObject({
    ca: file.exactOptional().describe('File with certificates of authorities, in place of those of the system.'),
    cert: file.exactOptional().describe('File with the certificate to show.'),
    key: file.exactOptional().describe('File with the key of that certificate.'),
    server_name: z
      .string()
      .min(1)
      .exactOptional()
      .describe('Name in the certificate of the server, where it is not its host.'),
    pinned: z
      .array(
        z.string().refine((text) => /^[0-9a-f]{64}$/.test(bareFingerprint(text)), 'expected a SHA-256 fingerprint'),
      )
      .min(1)
      .exactOptional()
      .describe('SHA-256 fingerprints of the only certificates that are accepted.'),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'expected cert and key, or neither');

/** What a plugin is reached by. */
export const configSchema: z.ZodType<GrpcConfig> = z.strictObject({
  address: z
    .string()
    .min(1, 'expected unix:///path or host:port, found an empty text')
    .describe('Where the plugin listens: unix:///path or host:port.'),
  options: z.record(z.string(), z.unknown()).default({}).describe('Options for the plugin, which says what they are.'),
  tls: tlsSchema.exactOptional().describe('Certificates for host:port.'),
  insecure_tcp: z
    .boolean()
    .default(false)
    .describe('Speak to host:port without TLS: whoever is on the way reads secrets and runs what they like.'),
  workdir_parent: z
    .string()
    .regex(/^\//, 'expected an absolute path')
    .default('/workspace')
    .describe(
      'Folder in environments below which jobs work, for plugins of the Go runner. Others choose by themselves.',
    ),
});
