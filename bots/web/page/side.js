// The side: the list of conversations, and on a small screen its coming and going.

import { button, make } from "./make.js";
import { say } from "./words.js";

const at = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 860px)");

let drawn = "";

export function drawList(conversations, current, on) {
  const now = JSON.stringify([conversations.map((one) => [one.id, one.title]), current, say("web-rename")]);
  if (now === drawn) return;
  drawn = now;
  const focused = document.activeElement?.dataset?.key;
  at("list").replaceChildren(...conversations.map((one) => line(one, one.id === current, on)));
  at("list-empty").hidden = conversations.length > 0;
  if (focused) at("list").querySelector(`[data-key="${focused}"]`)?.focus();
}

function line(conversation, current, on) {
  const title = conversation.title || say("web-untitled");
  const link = make("a", { href: `#/${conversation.id}`, dir: "auto", title }, title);
  if (current) {
    link.setAttribute("aria-current", "page");
    link.addEventListener("click", closeSide); // its address is there already, so nothing else would happen
  }
  const rename = button("edit", say("web-rename-named", { title }), () => on.rename(conversation));
  const remove = button("trash", say("web-delete-named", { title }), () => on.remove(conversation));
  link.dataset.key = `open ${conversation.id}`;
  rename.dataset.key = `rename ${conversation.id}`;
  remove.dataset.key = `remove ${conversation.id}`;
  return make("li", {}, link, make("span.tools", {}, rename, remove));
}

// On a small screen the list lies over the conversation, and what is behind it cannot be reached.
function arrange(open) {
  const over = narrow.matches && open;
  document.body.classList.toggle("listing", over);
  at("side").inert = narrow.matches && !open;
  document.querySelector("main").inert = over;
  at("menu").setAttribute("aria-expanded", String(over));
}

export function openSide() {
  arrange(true);
  at("menu-close").focus();
}

export function closeSide() {
  if (!document.body.classList.contains("listing")) return;
  arrange(false);
  at("menu").focus();
}

at("menu").addEventListener("click", openSide);
at("menu-close").addEventListener("click", closeSide);
at("shade").addEventListener("click", closeSide);
at("side").addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeSide();
});
narrow.addEventListener("change", () => arrange(false));
arrange(false);
