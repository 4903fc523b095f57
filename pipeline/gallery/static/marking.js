// Marking in bulk: what is selected is called right, wrong, or something else, in one action.

import { ask } from "./data.js";
import { announce, el, number } from "./dom.js";
import { sender } from "./judgements.js";
import { renaming } from "./renaming.js";

const NAME = "marks"; // key of the name in the storage of the browser, and the name at first
const REVIEWER = "reviewer"; // as of audits

/**
 * Buttons that mark a selection, and keys that do the same while the page is open.
 * @param {Element} page
 * @param {string} labels the address of the pseudo-labels
 * @param {{selected: function(): ({count: number, of: object}|null), marked: function(string, object)=, known: function(object)=, map: string=}} about
 *   selected: how many labels, and what the server is told of them; marked: called with the kind of
 *   an action and what was told; known: with what was marked before; map: the address of a map
 */
export function marking(page, labels, about) {
  const name = el("input", { value: localStorage.getItem(NAME) ?? NAME, maxlength: 100, size: 12, autocomplete: "off", name: "marks" });
  const reviewer = el("input", { value: localStorage.getItem(REVIEWER) ?? "", maxlength: 100, size: 12, autocomplete: "off", name: "reviewer" });
  const problem = el("p", { class: "problem", role: "alert" });
  const words = el("span", { class: "marked" });
  const saved = el("span", { class: "soft saved" });
  const then = el("p", { class: "soft" });
  const { form, rename, hearName } = renaming(labels, problem, "All of them are this");
  const sent = []; // ids of actions of this page, or of before, the latest last
  let send = () => {};

  function mark(verdict, concept = null) {
    const selection = about.selected();
    if (!selection?.count) return refuse("Nothing is selected.");
    problem.textContent = "";
    sent.push(send({ ...selection.of, labels, verdict, concept, reviewer: reviewer.value.trim() }));
    about.marked?.(concept ? "renamed" : verdict, selection);
    announce(`${number(selection.count)} labels marked ${concept ?? verdict}`);
  }
  function undo() {
    const last = sent.pop();
    if (!last) return refuse("There is nothing to undo.");
    problem.textContent = "";
    send({ labels, takes_back: last, reviewer: reviewer.value.trim() });
    announce("undone");
  }
  function refuse(why) { problem.textContent = why; }

  let opened = 0;
  async function open() {
    const [mine, called] = [++opened, name.value.trim()];
    send = sender("marks", called, {
      told: () => refresh(mine),
      waits: (count, why) => {
        if (mine !== opened) return;
        saved.textContent = why ? "" : count ? `${count} to save` : "all saved";
        if (why) refuse(`${count} actions are not saved yet: ${why}. Trying again.`);
        else if (problem.textContent.includes("not saved yet")) refuse("");
      },
      refused: (why, told) => {
        if (mine !== opened) return;
        refresh(mine).then(() => refuse(why));
        const at = sent.indexOf(told.id);
        if (at >= 0) sent.splice(at, 1);
      },
    });
    sent.length = 0;
    const found = await refresh(mine);
    if (found && mine === opened) {
      sent.unshift(...found.actions.map(({ id }) => id).reverse().filter((id) => !sent.includes(id)));
      refuse(found.problem ?? (found.of && found.of !== labels ? `The marks ${called} are of ${found.of}: show these labels, or take another name.` : ""));
    }
  }
  async function refresh(mine) {
    const called = name.value.trim();
    const found = await ask("marks", { name: called, reviewer: reviewer.value.trim(), labels, map: about.map }).catch((error) => { if (mine === opened) { refuse(error.message); words.textContent = ""; } });
    if (!found || mine !== opened) return null;
    const counts = Object.entries(found.counts).map(([kind, count]) => `${number(count)} ${kind}`);
    words.textContent = counts.length ? `marked: ${counts.join(", ")}` : "nothing marked yet";
    then.replaceChildren("When you are done: ", el("code", {}, `rc audit close ${called}`), ", then ", el("code", {}, `rc select NAME --reviews reviews@${called}`));
    about.known?.(found);
    return found;
  }
  const key = (letter) => el("kbd", {}, letter);
  const button = (act, title, letter, run) => el("button", { type: "button", "data-act": act, "aria-keyshortcuts": letter, onclick: run }, title, key(letter));
  const acts = { r: () => mark("right"), j: () => mark("right"), w: () => mark("wrong"), k: () => mark("wrong"), n: () => rename(), z: undo };
  hearName((concept) => mark("wrong", concept));
  for (const [input, stored] of [[name, NAME], [reviewer, REVIEWER]]) {
    input.addEventListener("change", () => { localStorage.setItem(stored, input.value.trim()); open(); });
  }
  const press = (event) => {
    if (!page.isConnected) removeEventListener("keydown", press);
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input, select, textarea") && Object.hasOwn(acts, event.key)) {
      event.preventDefault();
      if (!event.repeat) acts[event.key]();
    }
  };
  addEventListener("keydown", press);
  open();
  return el("section", { class: "marking", "aria-label": "mark what is selected" },
    el("div", { class: "verdicts", role: "group", "aria-label": "verdict" },
      button("right", "Right", "r", acts.r), button("wrong", "Wrong", "w", acts.w), button("rename", "It is …", "n", acts.n), button("undo", "Undo", "z", undo)),
    form, problem,
    el("div", { class: "filters switches" }, el("label", {}, "name of the marks", name), el("label", {}, "your name", reviewer), words, saved),
    then);
}
