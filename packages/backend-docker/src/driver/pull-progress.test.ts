import { captureOutput } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { PullProgress } from './pull-progress.ts';

it('says now and then how much there is', async () => {
  const output = captureOutput();
  let nowMs = 0;
  const progress = new PullProgress(output.sink, () => nowMs);
  await progress.take({ status: 'Pulling from library/node', id: '22' });
  await progress.take({ status: 'Already exists', id: 'a' });
  await progress.take({ status: 'Pulling fs layer', id: 'b' });
  await progress.take({ status: 'Downloading', id: 'b', progressDetail: { current: 1_000_000, total: 4_000_000 } });
  expect(output.text()).toBe('');
  nowMs = 6000;
  await progress.take({ status: 'Downloading', id: 'b', progressDetail: { current: 2_000_000, total: 4_000_000 } });
  expect(output.text()).toBe('  1 of 2 layers, 2.0 of 4.0 MB\n');
  await progress.take({ status: 'Download complete', id: 'b' });
  nowMs = 12_000;
  await progress.take({ status: 'Extracting', id: 'b', progressDetail: { current: 1, total: 2 } });
  nowMs = 18_000;
  await progress.take({ status: 'Extracting', id: 'b', progressDetail: { current: 2, total: 2 } });
  await progress.take({ status: 'Pull complete', id: 'b' });
  nowMs = 24_000;
  await progress.take({ status: 'Pull complete', id: 'b' });
  expect(output.text().split('\n')).toEqual([
    '  1 of 2 layers, 2.0 of 4.0 MB',
    '  1 of 2 layers, 4.0 of 4.0 MB',
    '  2 of 2 layers, 4.0 of 4.0 MB',
    '',
  ]);
});

it('holds no more layers than an image can have', async () => {
  const output = captureOutput();
  let nowMs = 0;
  const progress = new PullProgress(output.sink, () => nowMs);
  for (let at = 0; at < 5000; at += 1) await progress.take({ status: 'Pulling fs layer', id: `layer-${at}` });
  nowMs = 6000;
  await progress.take({ status: 'Waiting', id: 'layer-1' });
  expect(output.text()).toBe('  0 of 1000 layers\n');
});
