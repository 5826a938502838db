import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** What the builder has to know of the user's npm configuration. npm itself reads the rest. */
export interface NpmConfig {
  /** `.npmrc` of the project that the current folder belongs to. */
  readonly projectFile: string | undefined;
  /** Variables that the files refer to as `${NAME}`. */
  readonly variables: readonly string[];
  /** It says how old versions have to be: then ours does not count. */
  readonly hasReleaseAge: boolean;
  /** Values that must not be printed. */
  readonly secrets: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

// What npm, git and the network need. Everything else that is in our environment is not npm's business.
const passed = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'SYSTEMROOT',
  'COMSPEC',
  'PATHEXT',
  'TMPDIR',
  'TEMP',
  'TMP',
  'LANG',
  'LC_ALL',
  'XDG_CONFIG_HOME',
  'XDG_CACHE_HOME',
  'SSH_AUTH_SOCK',
  'GIT_SSH_COMMAND',
  'GIT_SSH',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_NOSYSTEM',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'ALL_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NPM_TOKEN',
  'NODE_AUTH_TOKEN',
];

const secretKey = /(?:_authtoken|_auth|_password|:certfile|:keyfile|^key|^otp)$/i;

/** Reads what matters from the project's and the user's `.npmrc`. */
export function readNpmConfig(cwd: string, env: Environment): NpmConfig {
  const projectFile = findProjectFile(cwd);
  const userFile = env['npm_config_userconfig'] ?? env['NPM_CONFIG_USERCONFIG'] ?? path.join(homedir(), '.npmrc');
  const text = [projectFile, userFile].map((file) => (file === undefined ? '' : readText(file))).join('\n');
  const variables = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\??\}/g)].map((match) => match[1] ?? '');
  const hasReleaseAge = /^\s*(?:min-release-age|before)\s*=/m.test(text) || Object.keys(env).some(isReleaseAge);
  return { projectFile, variables, hasReleaseAge, secrets: findSecrets(text, env) };
}

/** The environment of npm: an allow list, what the configuration refers to, and npm's own variables. */
export function npmEnvironment(config: NpmConfig, env: Environment): Record<string, string> {
  const names = new Set([...passed, ...config.variables]);
  const entries = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && (names.has(entry[0]) || isNpmSetting(entry[0])),
  );
  return { ...Object.fromEntries(entries), GIT_TERMINAL_PROMPT: '0', NO_UPDATE_NOTIFIER: '1' };
}

/** A function that hides what must not be printed: secrets of the configuration, and logins in URLs. */
export function makeRedactor(config: NpmConfig): (text: string) => string {
  const secrets = [...new Set(config.secrets)]
    .filter((secret) => secret.length >= 4)
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    let hidden = text;
    for (const secret of secrets) hidden = hidden.replaceAll(secret, '***');
    return hidden.replaceAll(/([a-z+]+:\/\/)[^\s/@]+@/gi, '$1***@').replaceAll(/\bnpm_[A-Za-z0-9]{20,}/g, '***');
  };
}

function isNpmSetting(name: string): boolean {
  const lower = name.toLowerCase();
  // `npm run` sets these for its children from the project around us, which is not the one that we install.
  const ofTheCaller = ['npm_config_local_prefix', 'npm_config_prefix', 'npm_config_noproxy', 'npm_config_npm_version'];
  return lower.startsWith('npm_config_') && !ofTheCaller.includes(lower);
}

function isReleaseAge(name: string): boolean {
  return /^npm_config_(?:min_release_age|before)$/i.test(name);
}

function findProjectFile(cwd: string): string | undefined {
  // npm's own rule for where a project begins.
  let dir = path.resolve(cwd);
  for (;;) {
    if (existsSync(path.join(dir, 'package.json')) || existsSync(path.join(dir, 'node_modules'))) break;
    const parent = path.dirname(dir);
    if (parent === dir) {
      dir = path.resolve(cwd);
      break;
    }
    dir = parent;
  }
  const file = path.join(dir, '.npmrc');
  return existsSync(file) ? file : undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function findSecrets(text: string, env: Environment): string[] {
  const secrets: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^\s*([^#;=]+?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined || !secretKey.test(key)) continue;
    const plain = value
      .replace(/^"(.*)"$/, '$1')
      .replaceAll(/\$\{([^}?]+)\??\}/g, (all, name: string) => env[name] ?? all);
    secrets.push(plain);
    // Passwords are stored in base 64; npm prints what it decodes.
    if (/_(?:password|auth)$/i.test(key)) secrets.push(Buffer.from(plain, 'base64').toString('utf8'));
  }
  for (const [name, value] of Object.entries(env)) {
    const isSecret = (isNpmSetting(name) && secretKey.test(name)) || name === 'NPM_TOKEN' || name === 'NODE_AUTH_TOKEN';
    if (isSecret && value !== undefined) secrets.push(value);
  }
  return secrets;
}
