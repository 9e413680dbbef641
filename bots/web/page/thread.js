// The conversation: each question with its answer, patched in place so that what is read stays where it is.

import { become, button, copy, icon, make, parsed } from "./make.js";
import { PendingChange, PendingQuestion } from "./pending.js";
import { say } from "./words.js";

// on: what the buttons do: {edit(view, text): was it taken?, regenerate(view), proceed(view), undo(view),
//      withdraw(entry), left(text): an edit whose question has gone, tell(sentence)}.
export class Thread {
  #root;
  #on;
  #shown = []; // one Exchange for each article
  #pending = new Map();
  mark = "";

  constructor(root, on) {
    this.#root = root;
    this.#on = on;
  }

  get count() {
    return this.#shown.length;
  }

  get newest() {
    return this.#shown.at(-1)?.view ?? null;
  }

  get live() {
    return this.#shown.filter((exchange) => exchange.view.live).map((exchange) => exchange.view);
  }

  get empty() {
    return !this.#shown.length && !this.#pending.size;
  }

  // Another conversation comes next.
  leave() {
    for (const exchange of this.#shown) exchange.leave();
    this.clear();
  }

  clear() {
    this.#shown = [];
    this.#pending.clear();
    this.mark = "";
    this.#root.replaceChildren();
  }

  // The language has changed: everything is said anew.
  repeat() {
    for (const exchange of this.#shown) exchange.speak();
    for (const pending of this.#pending.values()) pending.speak();
    this.mark = "";
  }

  // `keep` exchanges stay as they are, the others follow.
  path({ keep, exchanges, mark }) {
    const before = new Map(this.#shown.map((exchange) => [exchange.view.id, exchange]));
    const kept = this.#shown.slice(0, keep);
    for (const view of exchanges) {
      const exchange = before.get(view.id) ?? new Exchange(this.#on);
      exchange.draw(view);
      kept.push(exchange);
    }
    for (const exchange of this.#shown) if (!kept.includes(exchange)) exchange.leave();
    kept.forEach((exchange, i) => {
      if (this.#root.children[i] !== exchange.element) this.#root.insertBefore(exchange.element, this.#root.children[i] ?? null);
      exchange.newest(i === kept.length - 1);
    });
    this.#shown = kept;
    this.mark = mark;
    for (const pending of [...this.#pending.values()]) {
      // One path may have been read just before it was accepted; a second without it means that it was taken back.
      if (pending.turn && (this.#has(pending.turn) || ++pending.missed > 1)) this.unpend(pending.entry);
    }
    this.#placePending();
  }

  answer(change) {
    this.#shown.find((exchange) => exchange.view.id === change.id)?.grow(change);
  }

  // What is on its way: a question, or what changes a turn (`entry.target`).
  pend(entry) {
    if (this.#pending.has(entry.event)) return;
    const pending = new (entry.target ? PendingChange : PendingQuestion)(entry, this.#on.withdraw);
    this.#pending.set(entry.event, pending);
    if (pending.element) this.#root.append(pending.element);
    this.#placePending();
  }

  unpend(entry) {
    const pending = this.#pending.get(entry.event);
    this.#pending.delete(entry.event);
    pending?.remove();
    if (entry.target) this.#placePending();
  }

  // An edit that was refused: its text is in the box of its turn again. False where that cannot be.
  reopen(entry) {
    const exchange = this.#shown.find(({ view }) => view.id === entry.target);
    if (!exchange || exchange.editing) return false;
    exchange.edit(entry.body.text);
    return true;
  }

  late() {
    for (const pending of this.#pending.values()) pending.late();
  }

  // Conch has accepted it as `turn`: it stays in sight until that is.
  settle(entry, turn) {
    const pending = this.#pending.get(entry.event);
    if (!pending) return;
    pending.turn = turn;
    if (this.#has(turn)) this.unpend(entry);
  }

  // The buttons as they were, after a call that was refused.
  refresh() {
    for (const exchange of this.#shown) exchange.refresh();
  }

  #has(turn) {
    return this.#shown.some(({ view }) => view.id === turn || view.last === turn);
  }

  // A question that is there already, while only its acknowledgement was lost, is not shown twice.
  #placePending() {
    const taken = new Set();
    for (const pending of this.#pending.values()) {
      if (!pending.element) {
        pending.place(this.#shown);
        continue;
      }
      const match = this.#shown.find(
        ({ view }) => view.id > pending.entry.after && view.question === pending.entry.body.text && !taken.has(view.id),
      );
      if (match) taken.add(match.view.id);
      pending.element.hidden = Boolean(match);
    }
  }
}

class Exchange {
  view = { id: 0 };
  #on;
  #html = [];
  #latest = false;
  #waiting = null; // what was asked of this turn and is on its way: a PendingChange
  #told = "";
  #question = make("div.question", { dir: "auto" });
  #questionBar = make("div.actions");
  #answer = make("div.answer");
  #state = make("p.state");
  #notes = make("div.notes");
  #bar = make("div.actions");
  #youHeading = make("h2.unseen");
  #answerHeading = make("h2.unseen");

  constructor(on) {
    this.#on = on;
    this.element = make(
      "article",
      {},
      this.#youHeading,
      make("div.asked", {}, this.#question, this.#questionBar),
      this.#answerHeading,
      this.#answer,
      this.#state,
      this.#notes,
      this.#bar,
    );
    this.speak();
  }

  speak() {
    this.#youHeading.textContent = say("web-you");
    this.#answerHeading.textContent = say("web-answer");
    for (const block of this.#answer.children) dress(block, this.#on);
    if (this.editing) this.edit(this.#typed);
    this.#say();
    this.#buttons();
  }

  get editing() {
    return this.#question.classList.contains("editing");
  }

  get #typed() {
    return this.#question.querySelector("textarea")?.value.trim() ?? "";
  }

  // It is no longer in the conversation.
  leave() {
    this.element.remove();
    if (this.#typed && this.#typed !== this.#asked) this.#on.left(this.#typed);
  }

  // What a person reads as the question: also an edit that is on its way.
  get #asked() {
    return this.#waiting?.entry.body.text ?? this.view.question;
  }

  // `pending` is on its way; null: `was` no longer is.
  waits(pending, was = null) {
    if (pending === null && was !== this.#waiting) return;
    this.#waiting = pending;
    this.element.classList.toggle("waiting", pending !== null);
    if (!this.editing) this.#ask();
    this.#say();
    this.#buttons();
  }

  draw(view) {
    const changed = view.question !== this.view.question;
    this.view = view;
    if (changed && !this.#waiting) this.#ask();
    if (!view.live) this.#blocks(view.blocks);
    this.#say(view.live ? this.#told : "");
    this.#notes.replaceChildren(...(view.notes ?? []).map((note) => make("p", { className: view.ended }, note)));
    this.element.classList.toggle("live", view.live);
    this.element.dataset.turn = view.id;
    this.#buttons();
  }

  grow({ state, from, same, blocks }) {
    if (!this.view.live) return;
    const html = this.#html.slice(0, from);
    blocks.forEach((tail, i) => html.push(i ? tail : (this.#html[from] ?? "").slice(0, same) + tail));
    this.#blocks(html);
    this.#say(state);
  }

  newest(latest) {
    if (latest === this.#latest) return;
    this.#latest = latest;
    this.#buttons();
  }

  // Pressed: nothing more until Conch answers, but to copy. (A disabled button would lose the focus.)
  #busy() {
    for (const element of this.#bar.children) {
      if (element.dataset.does === "copy") continue;
      element.setAttribute("aria-disabled", "true");
      element.onclick = null;
    }
  }

  refresh() {
    this.#buttons();
  }

  // Where the answer is; what is on its way comes first. The dots move as long as there is more to come.
  #say(told = this.#told) {
    this.#told = told;
    const works = this.view.live && !this.#waiting;
    const state = this.#waiting?.sentence ?? told;
    const now = `${works} ${state} ${this.#waiting?.entry.event ?? ""}`;
    if (this.#state.dataset.state === now) return;
    this.#state.dataset.state = now;
    const dots = () => make("span.dots", { "aria-hidden": "true" }, make("i"), make("i"), make("i"));
    this.#state.replaceChildren(...(works ? [dots()] : []), ...(state ? [state] : []), ...(this.#waiting?.ways ?? []));
  }

  #blocks(html) {
    html.forEach((block, i) => {
      if (this.#html[i] === block) return;
      const old = this.#answer.children[i];
      const element = make("div.block", {}, parsed(block));
      dress(element, this.#on);
      if (old) become(old, element);
      else this.#answer.append(element);
    });
    while (this.#answer.children.length > html.length) this.#answer.lastElementChild.remove();
    this.#html = [...html];
  }

  #ask() {
    this.#question.replaceChildren(this.#asked ?? "");
    this.#question.classList.remove("editing");
  }

  #buttons() {
    const { view } = this;
    if (!view.id) return;
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset?.does : null;
    const asks = this.editing ? [] : [act("edit", "edit", say("web-edit"), () => this.edit())];
    const does = [];
    if (!view.live) {
      if (view.text) does.push(act("copy", "copy", say("web-copy"), (event) => this.#copy(event.currentTarget)));
      if (this.#latest) {
        does.push(act("regenerate", "again", say("web-regenerate"), () => this.#on.regenerate(view)));
        if (view.proceeds) does.push(act("proceed", "proceed", say("web-proceed"), () => this.#on.proceed(view), true));
      }
    }
    if (this.#latest) does.push(act("undo", "undo", say("web-undo"), () => this.#on.undo(view)));
    this.#questionBar.replaceChildren(...asks);
    this.#bar.replaceChildren(...does);
    if (this.#waiting) this.#busy();
    if (focused) this.element.querySelector(`[data-does="${focused}"]`)?.focus();
  }

  async #copy(element) {
    tick(element, await copy(this.view.text), this.#on);
  }

  // The question becomes a box with `text` in it; Enter asks it anew, Escape leaves it as it was.
  edit(text = this.#asked) {
    const elsewhere = document.activeElement?.matches("textarea, input, select, dialog *"); // nobody is torn from what they write
    const box = make("textarea", { value: text, dir: "auto", rows: 1, "aria-label": say("web-edit-label") });
    const leave = () => {
      this.#ask();
      this.#buttons();
      this.#questionBar.querySelector("button")?.focus();
    };
    const save = () => {
      const text = box.value.trim();
      if (!text || text === this.#asked || this.#on.edit(this.view, text)) leave();
    };
    const choices = make(
      "div.choices",
      {},
      make("button.plain", { type: "button", onclick: leave }, say("web-cancel")),
      make("button.go", { type: "button", onclick: save }, say("web-send")),
    );
    box.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Escape") leave();
      else if (sends(event)) {
        event.preventDefault();
        save();
      }
    });
    box.addEventListener("input", () => fit(box));
    const warning = this.#latest ? [] : [make("p.dim", {}, say("web-edit-earlier"))];
    this.#question.replaceChildren(box, ...warning, choices);
    this.#question.classList.add("editing");
    this.#buttons();
    fit(box);
    if (elsewhere) return;
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }
}

function act(does, name, label, onclick, text = false) {
  const element = button(name, label, onclick, { text });
  element.dataset.does = does;
  return element;
}

// Puts a bar with the language and a copy button over each piece of code.
function dress(block, on) {
  for (const bar of block.querySelectorAll(".code-bar")) {
    bar.querySelector("span").textContent = bar.parentElement.querySelector("pre").dataset.language ?? say("web-code");
    const label = say("web-copy-code");
    bar.querySelector("button").title = label;
    bar.querySelector("button").setAttribute("aria-label", label);
  }
  for (const pre of block.querySelectorAll("pre")) {
    if (pre.parentElement.classList.contains("code")) continue;
    const name = pre.dataset.language ?? say("web-code");
    const copies = button("copy", say("web-copy-code"), async () => tick(copies, await copy(pre.textContent), on));
    const box = make("div.code", {}, make("div.code-bar", {}, make("span", {}, name), copies));
    pre.replaceWith(box);
    box.append(pre);
  }
}

// Shows on a copy button that it has copied, and says so.
function tick(element, done, on) {
  on.tell(say(done ? "web-copied" : "web-copy-failed"));
  if (!done) return;
  element.classList.add("done");
  element.replaceChildren(icon("check"));
  setTimeout(() => {
    element.classList.remove("done");
    element.replaceChildren(icon("copy"));
  }, 1600);
}

// Does this key press send? Not while an input method composes, not with Shift, not on a touch screen's keyboard.
export function sends(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return false;
  return event.ctrlKey || event.metaKey || !matchMedia("(hover: none) and (pointer: coarse)").matches;
}

// As tall as its text, up to what the style allows.
export function fit(box) {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
}
