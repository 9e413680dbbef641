// What this browser keeps: choices, unsent drafts, and questions that have been sent but not acknowledged yet.
// Where storage is forbidden or full, it lasts as long as the page.

const here = new Map();

function read(key) {
  try {
    return localStorage.getItem(key) ?? here.get(key) ?? null;
  } catch {
    return here.get(key) ?? null;
  }
}

function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    here.delete(key); // one copy alone: what another tab removes must not come back from here
  } catch {
    if (value === null) here.delete(key);
    else here.set(key, value);
  }
}

function keys() {
  const found = new Set(here.keys());
  try {
    for (let i = 0; i < localStorage.length; i++) found.add(localStorage.key(i));
  } catch {
    // only what is in `here`
  }
  return [...found];
}

export const choice = (name) => read(`conch.${name}`);
export const choose = (name, value) => write(`conch.${name}`, value);

const DRAFT = "conch.draft.";
export const draft = (conversation) => read(DRAFT + conversation) ?? "";
export const keepDraft = (conversation, text) => write(DRAFT + conversation, text || null);

// The outbox: one key per entry, so that two tabs never overwrite each other's.
const OUTBOX = "conch.outbox.";

export function outbox() {
  const found = [];
  for (const key of keys()) {
    if (!key.startsWith(OUTBOX)) continue;
    try {
      const entry = JSON.parse(read(key));
      if (entry?.event && entry.path) found.push(entry);
    } catch {
      write(key, null);
    }
  }
  return found.sort((a, b) => a.at - b.at || a.number - b.number);
}

export const unsent = (entry) => read(OUTBOX + entry.event) !== null;
export const post = (entry) => write(OUTBOX + entry.event, JSON.stringify(entry));
export const drop = (entry) => write(OUTBOX + entry.event, null);

export function forgetTexts() {
  for (const key of keys()) if (key.startsWith(DRAFT) || key.startsWith(OUTBOX)) write(key, null);
  write("conch.last", null);
}

// An id that nobody else makes. Pages reached by plain http from another machine lack crypto.randomUUID.
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
