// The page's sentences in the reader's language.

let said = { language: "en", languages: {}, words: {} };

export const language = () => said.language;
export const languages = () => said.languages;

// A sentence; {name} in it is replaced by values[name].
export function say(key, values = {}) {
  const sentence = said.words[key] ?? "";
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// Fetches the sentences of a language, or of the one that the browser prefers, and writes them into the page.
export async function speak(wanted) {
  const answer = await fetch(`/words?language=${encodeURIComponent(wanted ?? "")}`);
  if (!answer.ok) throw new Error(`words: ${answer.status}`);
  said = await answer.json();
  document.documentElement.lang = said.language;
  write(document);
}

// data-say: the element's text; data-label: its name for those who do not see it; data-placeholder.
function write(root) {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
    if (element.matches("button")) element.title = say(element.dataset.label);
  }
  for (const element of root.querySelectorAll("[data-placeholder]")) element.placeholder = say(element.dataset.placeholder);
}
