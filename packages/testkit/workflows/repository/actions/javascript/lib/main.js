const { appendFileSync } = require('node:fs');

const who = process.env.INPUT_WHO;
console.log(`main for ${who} and ${process.env.INPUT_LONG_NAME}`);
appendFileSync(process.env.GITHUB_STATE, `who=${who}\n`);
appendFileSync(process.env.GITHUB_OUTPUT, `said<<END\nhello\n${who}\nEND\n`);
appendFileSync(process.env.GITHUB_ENV, `FROM_JAVASCRIPT=${who}\n`);
if (who === 'nobody') process.exit(3);
