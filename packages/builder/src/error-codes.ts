/** What stands behind an error code of the builder, for its documentation and for the next step that is printed. */
export interface ErrorCodeEntry {
  readonly title: string;
  readonly cause: string;
  /** One next step that works, printed unless the error knows a better one. */
  readonly next: string;
  /** Exit code of the command, see `cli/exit-codes`. */
  readonly exit: 2 | 3 | 4 | 5 | 6 | 7 | 8;
}

/** A code of {@link errorCodes}. */
export type ErrorCode =
  | 'FRB101'
  | 'FRB102'
  | 'FRB103'
  | 'FRB104'
  | 'FRB201'
  | 'FRB202'
  | 'FRB203'
  | 'FRB204'
  | 'FRB205'
  | 'FRB206'
  | 'FRB207'
  | 'FRB208'
  | 'FRB209'
  | 'FRB210'
  | 'FRB211'
  | 'FRB301'
  | 'FRB302'
  | 'FRB303'
  | 'FRB304'
  | 'FRB305'
  | 'FRB306'
  | 'FRB307'
  | 'FRB308'
  | 'FRB309'
  | 'FRB310'
  | 'FRB311'
  | 'FRB312'
  | 'FRB313'
  | 'FRB314'
  | 'FRB315'
  | 'FRB316'
  | 'FRB317'
  | 'FRB318'
  | 'FRB401'
  | 'FRB402'
  | 'FRB403'
  | 'FRB404'
  | 'FRB405'
  | 'FRB406'
  | 'FRB407'
  | 'FRB408'
  | 'FRB501'
  | 'FRB502'
  | 'FRB503'
  | 'FRB504'
  | 'FRB505'
  | 'FRB506'
  | 'FRB507'
  | 'FRB508'
  | 'FRB509'
  | 'FRB510'
  | 'FRB521'
  | 'FRB522'
  | 'FRB523'
  | 'FRB524'
  | 'FRB525'
  | 'FRB601'
  | 'FRB602'
  | 'FRB603'
  | 'FRB604'
  | 'FRB605'
  | 'FRB701';

/** All errors of the builder that somebody can fix. `docs/reference/errors-builder.md` has a row for each. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorCodeEntry>> = {
  FRB101: {
    title: 'Wrong use of the command',
    cause: 'a flag is unknown, lacks its value, or contradicts another one',
    next: 'see forgejo-runner-build --help',
    exit: 2,
  },
  FRB102: {
    title: 'Node is too old',
    cause: 'the builder runs on Node 26; neither the Node that started it nor an installed node-* package is that new',
    next: 'run it with Node 26, or install the node-* package of this platform at 26.10.0',
    exit: 2,
  },
  FRB103: {
    title: 'Something lies there already',
    cause: 'create makes a folder, and overwrites nothing',
    next: 'choose another folder with --dir, or empty that one',
    exit: 2,
  },
  FRB104: {
    title: 'Not a name for it',
    cause: 'npm, or the grammar of labels, does not take the name',
    next: 'choose a name such as @acme/backend-foo, and an id such as foo',
    exit: 2,
  },
  FRB201: {
    title: 'Malformed package',
    cause: 'the value of --with or --replace is not a package name, a path, a tarball or a git URL',
    next: 'write NAME, NAME@RANGE, NAME=./PATH, ./PATH, ./FILE.tgz or git+https://HOST/REPOSITORY.git#REF',
    exit: 2,
  },
  FRB202: {
    title: 'No package at this path',
    cause: 'the folder or tarball does not exist, or has no readable package.json with name and version',
    next: 'check the path; it is relative to the current folder',
    exit: 2,
  },
  FRB203: {
    title: 'Another package than the one that was named',
    cause: 'the name on the left of "=" is not the name in the package.json on the right',
    next: 'leave the name out, or correct it',
    exit: 2,
  },
  FRB204: {
    title: 'Nothing to leave out or to replace',
    cause: '--without names no default backend',
    next: 'leave it out',
    exit: 2,
  },
  FRB205: {
    title: 'Malformed manifest',
    cause: 'the file is no YAML, or has a key or a value that a manifest does not have',
    next: 'see docs/reference/manifest.md',
    exit: 2,
  },
  FRB206: {
    title: 'No manifest, or one too many',
    cause: 'the manifest or one that it extends cannot be read; or init found one that is there already',
    next: 'check the path; it is relative to the file or folder that names it',
    exit: 2,
  },
  FRB207: {
    title: 'Not in the manifest',
    cause: 'what is to be removed is not there',
    next: 'see the names in the manifest',
    exit: 2,
  },
  FRB208: {
    title: 'Unreadable configuration',
    cause: 'suggest needs the configuration file of a runner, in YAML',
    next: 'check the path; forgejo-runner validate shows all that is wrong in a configuration',
    exit: 2,
  },
  FRB209: {
    title: 'Malformed value',
    cause: 'a time, a size, a pair NAME=VALUE or a policy is not written as it has to be',
    next: 'see docs/reference/manifest.md',
    exit: 2,
  },
  FRB210: {
    title: 'No release without a name and a version',
    cause: 'distribution in the manifest, or --release, lacks what pack needs, or names files that are not there',
    next: 'see "Distribution" in docs/reference/manifest.md; forgejo-runner-build create distribution makes one',
    exit: 2,
  },
  FRB211: {
    title: 'The folder of a release has other files in it',
    cause: 'pack replaces an earlier release and nothing else',
    next: 'choose another --output, or empty the folder',
    exit: 2,
  },
  FRB301: {
    title: 'The package needs another version of the API',
    cause: 'peerDependencies ask for a version of @forgejo-runner/core that this builder does not have',
    next: 'use an older version of the package or a newer builder',
    exit: 3,
  },
  FRB302: {
    title: 'Not a runner backend',
    cause: 'package.json has no "forgejoRunner" field',
    next: 'check the name; backends carry the keyword forgejo-runner-backend',
    exit: 3,
  },
  FRB303: {
    title: 'Malformed "forgejoRunner" field',
    cause: 'the field in package.json does not have the documented shape',
    next: 'tell the author; expected { "api": 1, "backends": ["ID"], "export": "." }',
    exit: 3,
  },
  FRB304: {
    title: 'Unknown package',
    cause: 'the registry has no package of this name, or shows it only to users who are logged in',
    next: 'check the name, and the registry and login in .npmrc',
    exit: 3,
  },
  FRB305: {
    title: 'Content does not match its checksum',
    cause: 'what was downloaded is not what the registry announced',
    next: 'find out who changed it before trying again; nothing was built',
    exit: 3,
  },
  FRB306: {
    title: 'No such version',
    cause: 'the package exists, but no version of it fits what was asked for',
    next: 'ask for a version that exists',
    exit: 3,
  },
  FRB307: {
    title: 'Registry not reachable',
    cause: 'the network, a proxy or the registry is down, or its address is wrong',
    next: 'check the network, and registry and proxy in .npmrc',
    exit: 3,
  },
  FRB308: {
    title: 'Packages that do not fit together',
    cause: 'two packages ask for versions of a third that exclude each other',
    next: 'choose other versions; --legacy-peer-deps would build a runner in which one of them does not work',
    exit: 3,
  },
  FRB309: {
    title: 'npm failed',
    cause: 'npm ended with an error that has no text of its own here',
    next: 'see the message of npm, more of it with --verbose',
    exit: 3,
  },
  FRB310: {
    title: 'Not allowed to read the package',
    cause: 'the registry refuses the login in .npmrc, or there is none',
    next: 'log in: npm login --registry URL',
    exit: 3,
  },
  FRB311: {
    title: 'npm not found',
    cause: 'packages are resolved with the npm that comes with Node, and none was found',
    next: 'install npm, or put it on PATH',
    exit: 3,
  },
  FRB312: {
    title: 'git repository not readable',
    cause: 'git is missing, the repository does not answer, or the reference is not in it',
    next: 'try git ls-remote with the same URL',
    exit: 3,
  },
  FRB313: {
    title: 'Not in the cache',
    cause: 'with --offline nobody is asked, and the cache does not have all that is needed',
    next: 'run forgejo-runner-build fetch with the same flags where there is a network',
    exit: 3,
  },
  FRB314: {
    title: 'The lock does not fit',
    cause: 'the lock was made for other packages or tools than those of this build, and --frozen forbids to change it',
    next: 'run forgejo-runner-build fetch without --frozen, and commit the lock',
    exit: 3,
  },
  FRB315: {
    title: 'Unreadable lock',
    cause: 'the lock file was damaged, or written by another version of the builder',
    next: 'restore it, or make a new one: forgejo-runner-build update',
    exit: 3,
  },
  FRB316: {
    title: 'The cache was changed',
    cause: 'a file in the cache is not what was installed there',
    next: 'find out who changed it; forgejo-runner-build cache verify removes what is damaged',
    exit: 3,
  },
  FRB317: {
    title: 'No lock in the runner',
    cause: 'the file was not built by forgejo-runner-build, or by an older version, or it was packed afterwards',
    next: 'check the path; forgejo-runner build-info says how a runner was made',
    exit: 3,
  },
  FRB318: {
    title: 'Too fresh',
    cause:
      'no version that fits was published long enough ago for --min-release-age: stolen accounts are found out in days',
    next: 'wait, or accept the risk: --allow-fresh NAME',
    exit: 3,
  },
  FRB401: {
    title: 'Written for another major version of the API',
    cause: 'package.json says so in forgejoRunner.api, or in peerDependencies',
    next: 'use a version of the package for this API',
    exit: 4,
  },
  FRB402: {
    title: 'No types',
    cause: 'the package ships no declarations, so nothing can be said about whether it fits the API',
    next: 'ask the author for declarations, or accept the risk: --allow-untyped NAME',
    exit: 4,
  },
  FRB403: {
    title: 'No factory',
    cause: 'the declarations of the package have no export "factory"',
    next: 'tell the author: a backend package exports factory, a BackendFactory',
    exit: 4,
  },
  FRB404: {
    title: 'A member is missing or has another type',
    cause: 'what the package offers is less than the API asks for',
    next: 'use a version of the package for this API, or tell the author',
    exit: 4,
  },
  FRB405: {
    title: 'Requires more than the API passes',
    cause: 'the package expects arguments that a runner of this version does not give',
    next: 'use an older version of the package or a newer builder',
    exit: 4,
  },
  FRB406: {
    title: 'Types that prove nothing',
    cause: 'a type of the package is "any", or comes from something that is not installed, so that every check passes',
    next: 'tell the author, or accept the risk: --allow-untyped NAME',
    exit: 4,
  },
  FRB407: {
    title: 'Two packages provide one backend',
    cause: 'backend ids are unique in a runner',
    next: 'keep one of them; a default backend is left out with --without',
    exit: 4,
  },
  FRB408: {
    title: 'A second copy of the API',
    cause: 'a package brings its own @forgejo-runner/core',
    next: 'ask the author to move @forgejo-runner/core to peerDependencies',
    exit: 4,
  },
  FRB501: {
    title: 'Registered no backend',
    cause: 'the package was imported, but neither exports factory nor registered one',
    next: 'tell the author: a backend package exports factory, a BackendFactory',
    exit: 7,
  },
  FRB502: {
    title: 'Reads files beside itself',
    cause: 'inside one file the path that a module computes from its own place does not exist',
    next: 'tell the author, or try the code path in the built runner',
    exit: 5,
  },
  FRB503: {
    title: 'An import that cannot be found',
    cause: 'a package imports something that is not installed, or not built',
    next: 'install and build the package where it lies',
    exit: 5,
  },
  FRB504: {
    title: 'Native addon',
    cause: 'a compiled addon cannot be part of a single file',
    next: 'leave it out, if the package works without it: --native PACKAGE=stub',
    exit: 5,
  },
  FRB505: {
    title: 'Other backends than declared',
    cause: 'the ids that registered are not those of the "forgejoRunner" field',
    next: 'tell the author',
    exit: 7,
  },
  FRB506: {
    title: 'The built runner does not start',
    cause: 'list-backends of the result failed in an empty environment',
    next: 'see what it printed; run the result yourself after --no-smoke-run',
    exit: 7,
  },
  FRB507: {
    title: 'Bundling failed',
    cause: 'esbuild refused the sources',
    next: 'see the place that it names',
    exit: 5,
  },
  FRB508: {
    title: 'Denied licence',
    cause: 'a package in the result is under a licence that --deny-license names, without another to choose',
    next: 'leave out the backend that needs it, or ask its author; why NAME shows which that is',
    exit: 5,
  },
  FRB509: {
    title: 'Too large',
    cause: 'the result, or a package in it, weighs more than --budget allows',
    next: 'find out what came in, or raise the budget',
    exit: 5,
  },
  FRB510: {
    title: 'Too slow',
    cause: 'the result starts, or imports a backend, in more time than --budget allows',
    next: 'ask the author to load what is heavy when it is used, by import(); or raise the budget',
    exit: 7,
  },
  FRB521: {
    title: 'No conformance suite',
    cause: 'the suite comes with @forgejo-runner/testkit, which the package does not have',
    next: 'add @forgejo-runner/testkit to devDependencies of the package, and install it',
    exit: 7,
  },
  FRB522: {
    title: 'The conformance suite broke off',
    cause: 'the file of --config cannot be used, or the backend ended the process',
    next: 'see what it printed',
    exit: 7,
  },
  FRB523: {
    title: 'Does not pass the conformance suite',
    cause: 'a check found that the backend does something else than the contract asks',
    next: 'see docs/backends/conformance.md and the reasons in the verdict',
    exit: 7,
  },
  FRB524: {
    title: 'Errors in a backend package',
    cause: 'check found what keeps a package from being used, or harms those who use it',
    next: 'mend what is named; docs/backends/package-checks.md tells of each rule',
    exit: 7,
  },
  FRB525: {
    title: 'Nothing to run the conformance suite on',
    cause: 'the suite runs workflows on the built runner, and none of the targets is for this machine',
    next: 'add the target of this machine, or build without --conformance',
    exit: 7,
  },
  FRB601: {
    title: 'No base for an executable',
    cause:
      'no Node binary is pinned for this platform, and the one that runs the builder is another version than that of the bases',
    next: 'name platforms with --target, or run the builder with the version of Node that is named',
    exit: 6,
  },
  FRB602: {
    title: 'The output could not be written',
    cause: 'the disk is full, the folder is missing, or writing is not allowed',
    next: 'make room, or choose another --output; an earlier output was left as it was',
    exit: 6,
  },
  FRB603: {
    title: 'The executable could not be made',
    cause: 'the Node that prepares the application failed',
    next: 'see what it printed; the JavaScript file is made without --sea',
    exit: 6,
  },
  FRB604: {
    title: 'The cache could not be written',
    cause: 'the disk that the cache lies on is full, or writing there is not allowed',
    next: 'make room, or choose another --cache-dir; nothing was built',
    exit: 6,
  },
  FRB605: {
    title: 'No image',
    cause: 'an image has executables for Linux in it, with the libraries of this machine that they need',
    next: 'add a target for Linux, and install what is named',
    exit: 6,
  },
  FRB701: {
    title: 'Not reproduced',
    cause: 'building it again from the lock and the request that it carries gave other bytes',
    next: 'see which input differs first, more of them with --verbose; folders of this machine are named by --with and --replace',
    exit: 8,
  },
};
