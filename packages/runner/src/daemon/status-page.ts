/** The status page: its texts come as JSON and are put in place as text, never as markup. */
export const statusPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Forgejo runner</title>
<link rel="stylesheet" href="/status.css">
<script src="/status.js" defer></script>
<h1>Forgejo runner <small id="version"></small></h1>
<p id="state" role="status"></p>
<noscript><p>This page needs JavaScript; <a href="/status.json">the same as JSON</a> does not.</p></noscript>
<h2>Instances</h2><table id="instances"></table>
<h2>Backends</h2><table id="backends"></table>
<h2>Jobs now</h2><div id="jobs"></div>
<h2>Recent jobs</h2><table id="recent"></table>
</html>
`;

export const statusStyle = `:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem; }
h1 small { font-size: 1rem; font-weight: normal; opacity: .7; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #8884; padding: .25rem .6rem .25rem 0; text-align: left; vertical-align: top; }
pre { background: #8882; max-height: 20rem; overflow: auto; padding: .5rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.ok, .success { color: #17803d; } .down, .failure { color: #c02626; } .degraded, .cancelled { color: #a16207; }
`;

export const statusScript = `'use strict';
const byId = (id) => document.getElementById(id);
const make = (tag, text, kind) => {
  const element = document.createElement(tag);
  element.textContent = text ?? '';
  if (kind && /^[a-z]+$/.test(kind)) element.className = kind;
  return element;
};
const row = (cells) => {
  const line = document.createElement('tr');
  for (const cell of cells) line.append(Array.isArray(cell) ? make('td', cell[0], cell[1]) : make('td', cell));
  return line;
};
const fill = (id, rows, none) => byId(id).replaceChildren(...(rows.length ? rows.map(row) : [row([none])]));
const time = (ms) => (ms === undefined ? 'never' : new Date(ms).toLocaleString());
const seconds = (ms) => Math.max(0, Math.round(ms / 1000)) + ' s';
const shown = new Map();

async function read(path) {
  const answer = await fetch(path, { cache: 'no-store' });
  if (!answer.ok) throw new Error('HTTP ' + answer.status);
  return answer.json();
}

async function showJobs(jobs) {
  for (const [id, box] of shown) if (!jobs.some((job) => job.id === id)) { box.remove(); shown.delete(id); }
  for (const job of jobs) {
    let box = shown.get(job.id);
    if (!box) {
      box = document.createElement('section');
      box.append(make('h3'), make('pre'));
      shown.set(job.id, box);
      byId('jobs').append(box);
    }
    const [title, log] = box.children;
    title.textContent = [job.repository, job.workflow, job.job].filter(Boolean).join(' / ') + ' \u2014 ' + (job.backend || 'planning') +
      (job.step ? ', step ' + job.step : '') + ', ' + seconds(Date.now() - job.startedAtMs) + ', ' + job.rows + ' rows';
    const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const tail = await read('/jobs/' + encodeURIComponent(job.id) + '/tail').catch(() => undefined);
    if (tail) log.textContent = tail.rows.map((one) => one.text).join('\\n');
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }
}

async function refresh() {
  try {
    const status = await read('/status.json');
    byId('version').textContent = status.version;
    byId('state').textContent = status.capacity.used + ' of ' + status.capacity.total + ' places in use';
    fill('instances', status.instances.map((one) => [one.connection, one.url, one.failure ? [one.failure, 'down'] : ['answers', 'ok'], time(one.answeredAtMs)]), 'none');
    fill('backends', status.backends.map((one) => [one.id, [one.status, one.status], one.detail]), 'none');
    fill('recent', status.recent.map((one) => [[one.result ?? 'running', one.result], one.repository, one.workflow, one.job, one.backend, time(one.startedAtMs), one.stoppedAtMs === undefined ? '' : seconds(one.stoppedAtMs - one.startedAtMs)]), 'none yet');
    await showJobs(status.jobs);
  } catch (error) {
    byId('state').textContent = 'The runner does not answer: ' + error.message;
  }
  setTimeout(refresh, 1000);
}
refresh();
`;
