// Evaluated before anything else: signals that come while the runner is loaded are kept for it, instead of ending it unasked.
const names = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const kept = [];
for (const name of names) process.on(name, keep);

function keep(signal) {
  // Whoever means it does not wait for an import that never ends.
  if (kept.push(signal) === 3) process.kill(process.pid, takeEarlySignals().at(-1));
}

// Those that came so far. From now on somebody else listens.
export function takeEarlySignals() {
  for (const name of names) process.off(name, keep);
  return kept.splice(0);
}
