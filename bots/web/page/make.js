// Small ways of making elements.

// make("p.dim.small", {title: "x", onclick: f}, child, "text"): an element with classes, properties and children.
export function make(what, properties = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// A button with an icon; its label is read aloud, and seen when the pointer rests on it.
export function button(name, label, onclick, { text = false } = {}) {
  const element = make("button", { type: "button", title: text ? "" : label, onclick }, icon(name));
  if (text) element.append(make("span", {}, label));
  else element.setAttribute("aria-label", label);
  element.classList.add(text ? "plain" : "icon");
  return element;
}

// Elements of HTML that the server has made harmless.
export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// Makes `old` the same as `made`, which is used up. What they have in common stays: a selection, the focus, where a
// line of code was scrolled to. Buttons are let alone: they work on what is around them.
export function become(old, made) {
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name)) old.removeAttribute(name);
  const children = [...made.childNodes];
  children.forEach((child, i) => {
    const there = old.childNodes[i];
    if (!there) old.append(child);
    else if (there.nodeName !== child.nodeName) there.replaceWith(child);
    else if (there.nodeType === Node.TEXT_NODE) rewrite(there, child.data);
    else if (there.nodeName !== "BUTTON") become(there, child);
  });
  while (old.childNodes.length > children.length) old.lastChild.remove();
}

function rewrite(node, text) {
  if (text.startsWith(node.data)) node.appendData(text.slice(node.length));
  else node.data = text;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text); // plain http from another machine has no clipboard of its own
  }
}

function copyByHand(text) {
  const before = document.activeElement;
  const area = make("textarea.unseen", { value: text, readOnly: true });
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    done = false;
  }
  area.remove();
  before?.focus?.();
  return done;
}
