import { existsSync } from 'node:fs';
import { eventually } from '@forgejo-runner/testkit';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { openDaemonFolder } from './daemon-folder.ts';

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const isMissing = browserPath === undefined && process.env['CI'] === undefined;

it.skipIf(isMissing)('shows jobs and their logs in a browser, and runs nothing of what they print', async () => {
  await using daemon = await openDaemonFolder();
  await daemon.configure('health: { listen: "127.0.0.1:0" }');
  const started = daemon.start('daemon', '-c', 'config.yml');
  const url = await eventually(() => /metrics are served url=(\S+)/.exec(started.stderr())?.[1]);
  const browser = await chromium.launch({ executablePath: browserPath ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => void dialog.dismiss().then(() => complaints.push('a dialog')));
    await page.goto(url);
    await page.getByText('none yet').waitFor();
    const attack = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    const go = daemon.folder.join('go');
    const job = daemon.forgejo.addJob({
      workflow: `runs-on: here\nname: "<b>bold</b>"\nsteps:\n  - run: ${JSON.stringify(`echo '${attack}'; until [ -e ${go} ]; do sleep 0.01; done; echo later`)}\n`,
      repository: '<i>me</i>/project',
    });
    const log = page.locator('#jobs pre');
    await log.getByText(attack).waitFor();
    await page.locator('#jobs h3').getByText('<i>me</i>/project').waitFor();
    await page.getByText('1 of 2 places in use').waitFor();
    expect(await page.locator('#backends').innerText()).toContain('reference');
    await daemon.folder.write({ go: '' });
    expect(await job.ended()).toBe('success');
    await page.locator('#recent').getByText('success').waitFor();
    await page.locator('#jobs section').waitFor({ state: 'detached' });
    expect(await page.locator('img, script:not([src]), i, b').count()).toBe(0);
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
  expect(await started.stop()).toBe(0);
});
