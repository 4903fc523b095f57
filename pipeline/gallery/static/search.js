// Regions similar to a text, or to another region.

import { crops } from "./concepts.js";
import { ask } from "./data.js";
import { announce, el } from "./dom.js";
import { go } from "./route.js";

const EXAMPLES = 12;

/** The concepts with the most regions, to begin with. */
async function examples() {
  const named = (await ask("concepts")).filter(({ regions }) => regions).slice(0, EXAMPLES);
  if (!named.length) return [];
  return [
    el("p", { class: "soft" }, "Regions that look like the words, the most similar first. For example:"),
    el("p", { class: "examples" }, named.map(({ concept }) => el("a", { href: `#search?${new URLSearchParams({ text: concept })}` }, concept))),
  ];
}

export async function search(page, given) {
  const box = el("input", { name: "text", value: given.text ?? "", placeholder: "a red umbrella", "aria-label": "search for" });
  page.append(
    el("h1", {}, "Search"),
    el("form", { class: "filters", onsubmit: (event) => { event.preventDefault(); go("search", { text: box.value }); } }, box, el("button", {}, "Search")),
  );
  if (!given.text && !given.region) {
    page.append(...(await examples().catch(() => [])));
    return;
  }
  const wait = el("p", { class: "soft" }, "Searching…");
  page.append(wait);
  const { hits } = await ask("search", given);
  wait.replaceWith(el("p", { class: "soft" }, given.region ? `Regions most similar to ${given.region}` : `Regions most similar to “${given.text}”`));
  page.append(crops(hits));
  announce(`${hits.length} regions`);
}
