// What the page asks of its server. An act is sent until it is answered, under one token.

export class Refusal extends Error {
  constructor(status, said) {
    super(said.what || `the server answered ${status}`);
    this.status = status;
    this.said = said;
  }
}

async function answered(response) {
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, said);
  return said;
}

export async function ask(path, values = {}, signal = undefined) {
  const wanted = Object.entries(values).filter(([, value]) => value !== "" && value !== null);
  return answered(await fetch(`${path}?${new URLSearchParams(wanted)}`, { signal }));
}

export async function tell(path, body, signal = undefined) {
  return answered(
    await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    }),
  );
}

export function newToken() {
  // not crypto.randomUUID: it is missing where the page is served without TLS
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const PENDING = "fundoscope-review-pending:";
const RETRY_MS = 1500;

// An act is written down before it is sent, so that neither a server that is killed nor a window
// that is closed loses it; its token makes a second copy of it harmless.
export async function sendAct(act, run, onWait) {
  remember(PENDING + act.token, { run, act });
  for (;;) {
    try {
      const said = await tell("/api/act", act);
      forget(PENDING + act.token);
      return said;
    } catch (problem) {
      if (problem instanceof Refusal && problem.status !== 503) {
        forget(PENDING + act.token);
        throw problem;
      }
      onWait(problem);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export function unanswered(who, run) {
  return kept(PENDING)
    .filter((one) => one.run === run && one.act.as === who)
    .map((one) => one.act);
}

export function remember(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // a browser without storage still reviews; only drafts do not outlive the window
  }
}

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

export function forget(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // see remember
  }
}

function kept(prefix) {
  try {
    return Object.keys(localStorage)
      .filter((name) => name.startsWith(prefix))
      .map(recall)
      .filter(Boolean);
  } catch {
    return [];
  }
}
