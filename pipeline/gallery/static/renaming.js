// A form for the name of a concept, with names of the pool as they are typed.

import { ask } from "./data.js";
import { el } from "./dom.js";

/** The form that says what it is, with names of the pool as they are typed. */
export function renaming(labels, refusal, act = "Wrong: it is this") {
  const names = el("datalist", { id: "concept-names" });
  const input = el("input", { list: "concept-names", maxlength: 200, "aria-label": "what it is", placeholder: "a concept", autocomplete: "off" });
  const form = el("form", { class: "filters", hidden: true }, input, names, el("button", {}, act));
  let renamed = () => {};
  const close = () => { form.hidden = true; input.value = ""; input.blur(); };
  input.addEventListener("input", async () => {
    const text = input.value;
    const found = await ask("concept-names", { text, labels }).catch((error) => { refusal.textContent = error.message; return []; });
    if (input.value === text) names.replaceChildren(...found.map((value) => el("option", { value })));
  });
  input.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const concept = input.value.trim();
    close();
    if (concept) renamed(concept);
  });
  return { form, rename: () => { form.hidden = false; input.focus(); }, hearName: (act) => { renamed = act; } };
}
