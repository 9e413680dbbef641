// What is asked in a dialog. The browser keeps the focus in it, and gives it back afterwards.

import { Refusal, showKey } from "./net.js";
import { say } from "./words.js";

const at = (id) => document.getElementById(id);

for (const closer of document.querySelectorAll("dialog [data-close]")) {
  closer.addEventListener("click", () => closer.closest("dialog").close(""));
}
for (const dialog of document.querySelectorAll("dialog:not(#key-dialog)")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(""); // the shade around it
  });
}

// Resolves to what closed it: "yes", or "" where it was left.
function shown(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

// The new title, or null.
export async function askTitle(title) {
  const box = at("rename-title");
  box.value = title;
  const answer = shown(at("rename-dialog"));
  box.select();
  return (await answer) === "yes" ? box.value.trim() || null : null;
}

export async function askSure(heading, text, yes) {
  at("sure-heading").textContent = heading;
  at("sure-text").textContent = text;
  at("sure-text").hidden = !text;
  at("sure-yes").textContent = yes;
  return (await shown(at("sure-dialog"))) === "yes";
}

export function showData({ user, retention }) {
  at("data-id").textContent = user ?? "";
  at("data-retention").textContent = retention ?? "";
  return shown(at("data-dialog"));
}

// Stays until the key is right: there is nothing to see without it.
export function askKey(sentence = "") {
  const dialog = at("key-dialog");
  const form = dialog.querySelector("form");
  at("key-refusal").textContent = sentence;
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    let done = false;
    dialog.onclose = () => {
      if (!done) dialog.showModal(); // a second Escape in a row cannot be held back
    };
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await showKey(at("key").value.trim());
      } catch (error) {
        at("key-refusal").textContent = error instanceof Refusal ? error.message : say("web-not-reached");
        at("key").select();
        return;
      }
      at("key").value = "";
      done = true;
      dialog.close();
      resolve();
    };
  });
}
