import { openHost, sh } from './host-fixture.ts';

// Holds environments until it is killed: what a runner leaves that does not come back.
const [parent = '', runner = '', boot = '', mark = ''] = process.argv.slice(2);
const host = await openHost(parent, runner, boot);
const environment = await host.create(`${runner}-${boot}-a`);
await host.create(`${runner}-${boot}-b`);
await sh(
  environment,
  `trap '' TERM; (setsid sh -c "trap '' TERM; while :; do sleep ${mark}; done" < /dev/null > /dev/null 2>&1 &)`,
);
void sh(environment, `while :; do sleep ${mark}; done`);
process.stdout.write('ready\n');
setInterval(() => {}, 60_000);
