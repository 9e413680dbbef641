// What is on its way to Conch and not accepted yet: a new question, or what is asked anew of a turn that is there.

import { make } from "./make.js";
import { say } from "./words.js";

class OnItsWay {
  turn = null; // what Conch accepted it as
  missed = 0; // paths that did not have that turn
  #late = false;
  #withdraw;

  constructor(entry, withdraw) {
    this.entry = entry;
    this.#withdraw = withdraw;
  }

  get sentence() {
    return say(this.#late ? "web-unsent" : "web-sending");
  }

  // What can be done about it: nothing while it is under way, taken back once that takes long.
  get ways() {
    const withdraw = () => this.#withdraw(this.entry);
    return this.#late ? [make("button.plain", { type: "button", onclick: withdraw }, say("web-undo"))] : [];
  }

  late() {
    if (this.#late) return;
    this.#late = true;
    this.speak();
  }

  speak() {}
  remove() {}
}

// A question, with an article of its own at the end.
export class PendingQuestion extends OnItsWay {
  #state = make("p.state");

  constructor(entry, withdraw) {
    super(entry, withdraw);
    this.element = make(
      "article.pending",
      {},
      make("div.asked", {}, make("div.question", { dir: "auto" }, entry.body.text)),
      this.#state,
    );
    this.speak();
  }

  speak() {
    this.#state.replaceChildren(this.sentence, ...this.ways);
  }

  remove() {
    this.element.remove();
  }
}

// An edit, another answer, or more of one: said at its turn, as soon as that is shown.
export class PendingChange extends OnItsWay {
  #exchange = null;

  // `shown`: the exchanges as they are now. A turn that has gone on since needs no word.
  place(shown) {
    const { target, after } = this.entry;
    const exchange = shown.find(({ view }) => view.id === target && view.last <= after) ?? null;
    if (exchange !== this.#exchange) this.#exchange?.waits(null, this);
    this.#exchange = exchange;
    exchange?.waits(this);
  }

  speak() {
    this.#exchange?.waits(this);
  }

  remove() {
    this.#exchange?.waits(null, this);
    this.#exchange = null;
  }
}
