// Talking to Conch: calls, and the stream of what happens.

import { language } from "./words.js";

// A refusal in words. Whatever else goes wrong on the way is an ordinary Error and worth another try.
export class Refusal extends Error {
  constructor(status, { cause = "failed", sentence = "" }) {
    super(sentence);
    this.status = status;
    this.cause_ = cause;
  }
}

export class Unreachable extends Error {}

// The connection stands, and nothing comes.
export class Silence extends Unreachable {}

// Conch was reached and failed; often the next try succeeds, but not for ever.
export class Broken extends Unreachable {
  constructor(said) {
    super(said.cause);
    this.said = said;
  }
}

const CALL_SECONDS = 30;
const HELLO_SECONDS = 10; // a stream greets at once
const LATE_SECONDS = 10; // for a heartbeat
const PASSING = [408, 425, 500, 502, 503, 504]; // the same call may succeed a moment later
const PROXYS = [407, 408, 425, 429]; // what stands between says so, and may change its mind

let onKeyNeeded = async () => {};
export const whenKeyNeeded = (ask) => {
  onKeyNeeded = ask;
};

let onIntroduced = () => {};
export const whenIntroduced = (hear) => {
  onIntroduced = hear;
};

async function once(path, body) {
  const asking = new AbortController();
  const timer = setTimeout(() => asking.abort(), CALL_SECONDS * 1000);
  const headers = { "Accept-Language": language() };
  const init = { signal: asking.signal, headers, cache: "no-store" };
  if (body !== undefined) {
    init.method = "POST";
    init.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  try {
    const answer = await fetch(path, init);
    const text = await answer.text();
    let said = {};
    try {
      said = JSON.parse(text);
    } catch {
      if (answer.ok) throw new Unreachable("not an answer of Conch"); // a proxy's page, a hotel's login
    }
    if (answer.ok) return said;
    throw failure(answer.status, said);
  } catch (error) {
    throw error instanceof Refusal || error instanceof Unreachable ? error : new Unreachable(error.message);
  } finally {
    clearTimeout(timer);
  }
}

// What a call that was answered with no is: final or not. `said` is {} where the answer was not of Conch.
function failure(status, said) {
  if (said?.cause === "failed" && status === 500) return new Broken(said);
  if (said?.cause && !PASSING.includes(status)) return new Refusal(status, said);
  if (status >= 400 && status < 500 && !PROXYS.includes(status)) return new Refusal(status, { cause: "bad-request" });
  return new Unreachable(String(status));
}

// Who we are to Conch. Made anew when the cookie has gone; asks for the access key where one is needed.
let introduction = null;

export function introduce() {
  introduction ??= (async () => {
    for (;;) {
      try {
        const me = await once("/api/session", {});
        onIntroduced(me);
        return me;
      } catch (error) {
        if (error.cause_ !== "key-needed") throw error;
        await onKeyNeeded();
      }
    }
  })().finally(() => {
    introduction = null;
  });
  return introduction;
}

// One call. Throws Refusal (said to the person) or Unreachable (try again).
export async function call(path, body) {
  try {
    return await once(path, body);
  } catch (error) {
    if (!["key-needed", "session-needed"].includes(error.cause_)) throw error;
    await introduce();
    return once(path, body);
  }
}

export const showKey = (key) => once("/api/key", { key });

// Follows the stream until it ends; on(name, data) hears each event. Throws Unreachable or Refusal.
export async function follow({ conversation, count, mark }, on, signal) {
  const asked = new URLSearchParams();
  if (conversation) asked.set("conversation", conversation);
  if (count) {
    asked.set("count", count);
    asked.set("mark", mark);
  }
  const ending = new AbortController();
  const end = () => ending.abort();
  signal.addEventListener("abort", end, { once: true });
  const silent = () => ending.abort("silent");
  let patience = HELLO_SECONDS;
  let timer = setTimeout(silent, patience * 1000);
  try {
    const answer = await fetch(`/api/stream?${asked}`, {
      headers: { "Accept-Language": language() },
      signal: ending.signal,
      cache: "no-store",
    });
    if (!answer.ok) {
      const said = await answer.json().catch(() => ({}));
      if (said.cause && !PASSING.includes(answer.status)) throw new Refusal(answer.status, said);
      throw new Unreachable(String(answer.status));
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(silent, patience * 1000);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const [name, data] = parse(event);
        if (name === "hello") patience = data.heartbeat + LATE_SECONDS;
        if (name) on(name, data);
      }
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw ending.signal.reason === "silent" ? new Silence("nothing comes") : new Unreachable(error?.message);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    ending.abort();
  }
}

function parse(event) {
  let name = null;
  let data = "";
  for (const line of event.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  return [name, data ? JSON.parse(data) : null];
}
