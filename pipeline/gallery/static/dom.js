// All elements are created here: words always become text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties and children; strings become text. */
export function el(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

/** The same in SVG. */
export function svg(name, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

function filled(node, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") node.style.cssText = value; // the content security policy forbids the attribute
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A number for people to read. */
export function number(value, digits = 2) {
  if (value === null || value === undefined) return "";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toFixed(digits);
}

/** A number with decimals even if it is an integer, such as a probability: 1 is 1.00. */
export function decimal(value, digits = 2) {
  return value === null || value === undefined ? "" : value.toFixed(digits);
}

/** A fraction in per cent. */
export const percent = (value) =>
  value === null || value === undefined ? "" : `${(100 * value).toFixed(1)} %`;

/**
 * A table.
 * @param {[string, function(object): (string|Node), string?][]} columns title, cell, class
 * @param {object[]} rows
 * @param {function(object)=} choose called by Enter or a click on a row
 */
export function table(columns, rows, choose) {
  const head = el("tr", {}, columns.map(([title, , kind]) => el("th", { scope: "col", class: kind }, title)));
  const body = rows.map((row) => {
    const act = choose && (() => choose(row));
    return el(
      "tr",
      act ? { tabindex: 0, onclick: act, onkeydown: (event) => event.key === "Enter" && act() } : {},
      columns.map(([, cell, kind]) => el("td", { class: kind }, cell(row))),
    );
  });
  return el("div", { class: "wide" }, el("table", {}, el("thead", {}, head), el("tbody", {}, body)));
}

/** Announce a change to screen readers. */
export function announce(words) {
  document.getElementById("live").textContent = words;
}
