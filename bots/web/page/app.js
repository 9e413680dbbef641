// The page: what is open, what the person does, and what Conch tells.

import { askKey, askSure, askTitle, showData } from "./dialogs.js";
import { choice, choose, draft, drop, forgetTexts, keepDraft, newId, outbox, post } from "./kept.js";
import { Line } from "./line.js";
import { make } from "./make.js";
import { call, introduce, Refusal, whenIntroduced, whenKeyNeeded } from "./net.js";
import { patch, toNewest } from "./newest.js";
import { closeSide, drawList } from "./side.js";
import { fit, sends, Thread } from "./thread.js";
import { language, languages, say, speak } from "./words.js";

const at = (id) => document.getElementById(id);
const box = at("question");
const touch = matchMedia("(hover: none)");
const NOTICE_SECONDS = 8;
let noticed = 0;

const state = {
  conversation: null, // its id; null: one that begins with the next question
  conversations: [],
  me: { personas: [], persona: "", characters: 0 },
  persona: null, // chosen for the conversation to come
  loaded: false,
  number: 0,
};

const thread = new Thread(at("thread"), {
  edit,
  regenerate: (view) => ask(`/api/turns/${view.id}/regenerate`, {}, view.id),
  proceed: (view) => ask(`/api/turns/${view.last}/proceed`, {}, view.id),
  undo,
  withdraw,
  left: (text) => giveBack({ conversation: state.conversation, body: { text } }),
  tell,
});

const line = new Line({
  where: () => ({ conversation: state.conversation, count: thread.count, mark: thread.mark }),
  event: hear,
  up() {
    if (at("banner").dataset.of === "line") {
      banner("");
      announce(say("web-back"));
    }
    dispatchEvent(new Event("conch-up"));
  },
  down() {
    banner(say("web-offline"), { of: "line", act: say("web-try-now") });
    thread.late();
  },
  crowded: () => banner(say("web-crowded"), { of: "line", act: say("web-wake") }),
  sent,
  taken: (entry) => thread.unpend(entry),
  late: () => thread.late(),
  refused,
});

// What Conch tells.

function hear(name, data) {
  if (name === "list") {
    state.conversations = data;
    redraw();
  } else if (name === "path") {
    const was = thread.live;
    const within = at("thread").contains(document.activeElement);
    patch(() => thread.path(data));
    if (within && document.activeElement === document.body && !touch.matches) box.focus(); // what had the focus has gone
    state.loaded = true;
    if (was.some(({ id }) => !thread.live.some((view) => view.id === id))) announce(ended());
    redraw();
  } else if (name === "answer") {
    patch(() => thread.answer(data));
    announce(data.state || say("web-answering"));
  }
}

// Who we are to Conch from now on. Somebody else than before: then the old conversations are out of reach.
function introduced(me) {
  const before = state.me.user;
  state.me = me;
  if (!before || before === me.user) return;
  notice(say("web-stranger"));
  line.turn();
}

function ended() {
  return thread.newest?.notes?.[0] ?? say("web-answered");
}

// What the person does.

function submit() {
  const text = box.value.trim();
  if (!text) return;
  if (!fits(text)) return;
  if (state.conversation === null) begin(newId());
  const kept = state.conversations.some((one) => one.id === state.conversation);
  const body = state.persona && !kept ? { text, persona: state.persona } : { text };
  const entry = ask(`/api/conversations/${state.conversation}/send`, body);
  write("");
  pend(entry);
  toNewest();
  redraw();
  box.focus();
}

// Is it short enough to be asked? Says so where it is not.
function fits(text) {
  const limit = state.me.characters;
  const count = [...text].length;
  if (!limit || count <= limit) return true;
  refuse(say("web-characters", { count, limit }));
  return false;
}

function edit(view, text) {
  if (!fits(text)) return false;
  ask(`/api/turns/${view.id}/edit`, { text }, view.id);
  return true;
}

// The first question gives the conversation its address.
function begin(id) {
  state.conversation = id;
  state.loaded = true;
  keepDraft("new", "");
  choose("last", id);
  history.pushState(null, "", `#/${id}`);
  line.turn();
}

// Into the outbox, and from there to Conch, once, however often it takes. `target`: the turn that it is to change.
function ask(path, body, target = null) {
  refuse("");
  const entry = {
    event: newId(),
    path,
    body,
    target,
    conversation: state.conversation,
    after: thread.newest?.last ?? 0,
    at: Date.now(),
    number: state.number++,
  };
  post(entry);
  if (target) pend(entry);
  line.now();
  line.flush();
  return entry;
}

function pend(entry) {
  thread.pend(entry);
  if (line.lost) thread.late();
}

function sent(entry, turn) {
  if (entry.conversation === state.conversation) thread.settle(entry, turn);
}

// No: the sentence stands by the box, and the text is not lost.
function refused(error, entry) {
  const here = entry?.conversation === state.conversation;
  if (entry && here) thread.unpend(entry);
  if (entry?.body.text !== undefined) takeUp(entry);
  refuse(error.message || say("web-bad-request"));
  thread.refresh();
  redraw();
}

// What has not left yet stays here. (Where Conch has it already, and only could not say so, it is shown all the same.)
function withdraw(entry) {
  drop(entry);
  thread.unpend(entry);
  redraw();
  if (entry.body.text !== undefined) {
    takeUp(entry);
    announce(say("web-undone"));
  }
  if (document.activeElement === document.body) box.focus(); // the button has gone
}

// Its text is in the box again, or in that of the question that was edited.
function takeUp(entry) {
  const here = entry.conversation === state.conversation;
  if (!(here && thread.reopen(entry))) giveBack(entry);
}

// The text of a question is in its box again, before what was typed there meanwhile. Once, though every tab gives it.
function giveBack(entry) {
  const here = entry.conversation === state.conversation;
  const typed = here ? box.value : draft(entry.conversation);
  const given = entry.body.text;
  if (typed === given || typed.startsWith(`${given}\n\n`)) return;
  const text = typed.trim() ? `${given}\n\n${typed}` : given;
  if (here) write(text);
  else keepDraft(entry.conversation, text);
}

async function undo(view) {
  const answer = await attempt(`/api/turns/${view.id}/undo`, {});
  if (answer?.question == null) return;
  if (!box.value.trim()) write(answer.question);
  announce(say("web-undone"));
  box.focus();
}

async function stop() {
  for (const view of thread.live.reverse()) await attempt(`/api/turns/${view.last}/stop`, {});
  box.focus();
}

// A call that is not worth repeating behind the person's back.
async function attempt(path, body) {
  refuse("");
  try {
    return await call(path, body);
  } catch (error) {
    refuse(error instanceof Refusal ? error.message : say("web-not-reached"));
    return null;
  }
}

async function rename(conversation) {
  const title = await askTitle(conversation.title);
  if (title) await attempt(`/api/conversations/${conversation.id}/rename`, { title });
}

async function remove(conversation) {
  const title = conversation.title || say("web-untitled");
  if (!(await askSure(say("web-delete"), say("web-delete-sure", { title }), say("web-delete")))) return;
  if ((await attempt(`/api/conversations/${conversation.id}/remove`, {})) === null) return;
  keepDraft(conversation.id, "");
  if (conversation.id === state.conversation) {
    thread.clear();
    fresh();
  } else at("new").focus();
}

async function forget() {
  at("data-dialog").close("");
  if (!(await askSure(say("web-forget-sure"), say("web-forget-text"), say("web-forget")))) return;
  const answer = await attempt("/api/forget", {});
  if (answer === null) return;
  forgetTexts();
  thread.clear();
  write("");
  fresh();
  notice(answer.sentence);
}

async function choosePersona(name) {
  if (state.conversations.some((one) => one.id === state.conversation)) {
    const answer = await attempt(`/api/conversations/${state.conversation}/persona`, { persona: name });
    if (answer === null) redraw(); // the one who answers as before
  } else state.persona = name;
}

async function chooseLanguage(code) {
  try {
    await speak(code);
  } catch {
    at("language").value = language();
    refuse(say("web-not-reached"));
    return;
  }
  choose("language", code);
  thread.repeat();
  refuse("");
  redraw();
  line.turn();
  await attempt("/api/language", { language: code });
}

function chooseTheme(theme) {
  choose("theme", theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

// Which conversation is open.

function fresh() {
  if (location.hash) history.pushState(null, "", "/");
  open(null);
  box.focus();
}

function open(id) {
  closeSide();
  thread.leave();
  state.conversation = id;
  state.persona = null;
  state.loaded = id === null;
  choose("last", id);
  refuse("");
  write(draft(id ?? "new"));
  for (const entry of outbox()) if (entry.conversation === id) pend(entry);
  redraw();
  toNewest();
  line.turn();
}

function addressed() {
  return /^#\/([a-z0-9-]{8,64})$/.exec(location.hash)?.[1] ?? null;
}

// How it looks.

function redraw() {
  const kept = state.conversations.find((one) => one.id === state.conversation);
  const title = kept?.title || say("web-untitled");
  at("title").textContent = title;
  document.title = kept?.title ? `${kept.title} · Conch` : "Conch";
  at("empty").hidden = !(state.loaded && thread.empty);
  if (!thread.live.length && document.activeElement === at("stop")) box.focus();
  at("stop").hidden = !thread.live.length;
  at("weak").hidden = !state.me.weak?.includes(language());
  drawList(state.conversations, state.conversation, { rename, remove });
  drawPersonas(kept?.persona || state.persona || state.me.persona);
  count();
}

let offered = "";

function drawPersonas(chosen) {
  const options = state.me.personas.map(({ name, titles }) => [name, titles[language()] ?? name]);
  if (offered !== (offered = JSON.stringify(options))) {
    at("persona").replaceChildren(...options.map(([value, title]) => make("option", { value }, title)));
  }
  at("persona").value = chosen;
}

function count() {
  const limit = state.me.characters;
  const length = [...box.value].length;
  at("count").textContent = limit && length > limit * 0.8 ? say("web-characters", { count: length, limit }) : "";
  at("count").classList.toggle("over", Boolean(limit) && length > limit);
}

function write(text) {
  box.value = text;
  keepDraft(state.conversation ?? "new", text);
  fit(box);
  count();
}

function refuse(sentence) {
  at("refusal").textContent = sentence;
}

function banner(text, { of = "", act = "" } = {}) {
  at("banner").dataset.of = of;
  at("banner-text").textContent = text;
  at("banner-act").textContent = act;
  at("banner-act").hidden = !act;
  at("banner").classList.toggle("shown", Boolean(text));
}

// For a while above the conversation.
function notice(sentence) {
  banner(sentence, { of: "notice" });
  clearTimeout(noticed);
  noticed = setTimeout(() => {
    if (at("banner").dataset.of === "notice") banner("");
  }, NOTICE_SECONDS * 1000);
}

// Said to those who listen: what state the answer is in, once each, never its words one by one.
function announce(sentence) {
  if (at("live").textContent !== sentence) at("live").textContent = sentence;
}

function tell(sentence) {
  announce("");
  setTimeout(() => announce(sentence), 50);
}

// Beginning.

function listen() {
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  box.addEventListener("keydown", (event) => {
    if (!sends(event)) return;
    event.preventDefault();
    submit();
  });
  box.addEventListener("input", () => {
    keepDraft(state.conversation ?? "new", box.value);
    fit(box);
    count();
  });
  at("stop").addEventListener("click", stop);
  at("new").addEventListener("click", fresh);
  at("new-here").addEventListener("click", fresh);
  at("banner-act").addEventListener("click", () => line.now());
  at("data").addEventListener("click", () => showData(state.me));
  at("forget").addEventListener("click", forget);
  at("persona").addEventListener("change", (event) => choosePersona(event.target.value));
  at("language").addEventListener("change", (event) => chooseLanguage(event.target.value));
  at("theme").addEventListener("change", (event) => chooseTheme(event.target.value));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // its address would be that of no conversation
    box.focus();
  });
  addEventListener("resize", () => fit(box));
  addEventListener("popstate", () => {
    if (addressed() !== state.conversation) open(addressed());
  });
}

async function start() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      await speak(choice("language"));
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  at("language").replaceChildren(...Object.entries(languages()).map(([code, name]) => make("option", { value: code, lang: code }, name)));
  at("language").value = language();
  at("theme").value = choice("theme") ?? "auto";
  listen();
  at("slow").remove();
  at("app").hidden = false;
  const refusals = { "#key-wrong": "web-key-wrong", "#too-many-keys": "web-too-many-keys" };
  let key = refusals[location.hash] ? say(refusals[location.hash]) : "";
  if (key) history.replaceState(null, "", "/");
  whenKeyNeeded(() => {
    const sentence = key;
    key = "";
    return askKey(sentence);
  });
  const last = addressed() ?? choice("last");
  if (last && !addressed()) history.replaceState(null, "", `#/${last}`);
  open(last);
  if (!navigator.cookieEnabled) {
    banner(say("web-cookies"), { of: "cookies" });
    return;
  }
  await acquaint();
  line.run();
  if (!touch.matches) box.focus();
}

async function acquaint() {
  whenIntroduced(introduced);
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      await introduce();
      redraw();
      return;
    } catch (error) {
      if (error instanceof Refusal) refuse(error.message);
      else banner(say("web-offline"), { of: "line" });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

start();
