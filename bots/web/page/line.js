// The line to Conch: the stream that is followed and found again, and the outbox that is emptied in order.

import { drop, outbox, unsent } from "./kept.js";
import { Broken, call, follow, introduce, Refusal, Silence } from "./net.js";

const WAITS = [0.3, 1, 2, 4, 8, 15]; // seconds between two tries, with some chance in them
const MOST_FAILURES = 5; // of Conch itself at one entry, before the next have their turn
const HIDDEN_SECONDS = 20; // a page that nobody sees rests, and leaves its connection to others

// on: {where(): what to follow, event(name, data), up(), down(), crowded(),
//      sent(entry, turn), taken(entry): by another tab, late(entry), refused(error, entry)}
export class Line {
  #on;
  #following = null;
  #wake = () => {};
  #hiding = null;
  #resting = false;
  lost = false; // it is broken, and the person knows

  constructor(on) {
    this.#on = on;
    addEventListener("online", () => this.now());
    addEventListener("offline", () => this.#following?.abort());
    addEventListener("pageshow", () => this.now());
    document.addEventListener("visibilitychange", () => this.#seen(document.visibilityState === "visible"));
  }

  #seen(visible) {
    clearTimeout(this.#hiding);
    if (visible) this.now();
    else {
      this.#hiding = setTimeout(() => {
        this.#resting = true;
        this.#following?.abort();
      }, HIDDEN_SECONDS * 1000);
    }
  }

  // Something else is to be followed now.
  turn() {
    this.#resting = false;
    this.#following?.abort("turned");
    this.#wake();
  }

  // Try now, whatever the wait.
  now() {
    this.#resting = false;
    this.#wake();
  }

  async run() {
    let tries = 0;
    for (;;) {
      if (this.#resting) await new Promise((resolve) => (this.#wake = resolve));
      const following = (this.#following = new AbortController());
      let crowded = false;
      let silent = false;
      try {
        await follow(
          this.#on.where(),
          (name, data) => {
            if (following.signal.aborted) return;
            tries = 0;
            if (name === "hello") this.#rise();
            if (name === "crowded") crowded = true;
            try {
              this.#on.event(name, data);
            } catch (error) {
              reportError(error); // a mistake of ours, not of the connection
            }
          },
          following.signal,
        );
      } catch (error) {
        silent = error instanceof Silence;
        if (error instanceof Refusal) await this.#refused(error);
      }
      if (following.signal.reason === "turned" || this.#resting) continue;
      if (crowded) {
        this.#resting = true;
        this.#on.crowded();
        continue;
      }
      if (tries || silent || !navigator.onLine) this.#lose(); // a first break heals before it is worth a word
      await this.#pause(WAITS[Math.min(tries, WAITS.length - 1)]);
      tries += 1;
    }
  }

  #rise() {
    this.lost = false;
    this.#on.up();
    this.flush();
  }

  #lose() {
    this.lost = true;
    this.#on.down();
  }

  async #refused(error) {
    if (error.cause_ === "session-needed" || error.cause_ === "key-needed") await introduce().catch(() => {});
    else this.#on.refused(error);
  }

  #pause(seconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * (0.75 + Math.random() / 2) * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  // The outbox. Entries are sent one after another, each until Conch has said yes or no.

  #flushing = false;
  #more = false;

  async flush() {
    this.#more = true;
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#more) {
      this.#more = false;
      for (const entry of outbox()) await this.#deliver(entry);
    }
    this.#flushing = false;
  }

  async #deliver(entry) {
    let failures = 0;
    for (let tries = 0; unsent(entry); tries++) {
      try {
        const { turn } = await call(entry.path, { ...entry.body, event: entry.event });
        drop(entry);
        this.#on.sent(entry, turn);
        return;
      } catch (error) {
        const givenUp = error instanceof Broken && ++failures >= MOST_FAILURES;
        if (error instanceof Refusal || givenUp) {
          drop(entry);
          this.#on.refused(givenUp ? new Refusal(500, error.said) : error, entry);
          return;
        }
        this.#on.late(entry);
        await this.#rest(tries);
      }
    }
    this.#on.taken(entry);
  }

  // Until the stream is back or a while has passed.
  #rest(tries) {
    return new Promise((resolve) => {
      const done = () => {
        removeEventListener("conch-up", done);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, WAITS[Math.min(tries, WAITS.length - 1)] * 1000);
      addEventListener("conch-up", done);
    });
  }
}
