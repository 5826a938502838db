// A process that is alive until somebody kills it.
import { giveLifeSign } from '../src/report/living-processes.ts';

const [folder = '', boot = ''] = process.argv.slice(2);
await giveLifeSign(folder, boot);
process.stdout.write('alive\n');
setInterval(() => {}, 60_000);
