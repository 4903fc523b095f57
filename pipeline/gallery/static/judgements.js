// Judgements and marks on their way to the journal: sent one after the other, kept until they are on the disk.

const AGAIN = 2000; // milliseconds until a judgement is sent again
const REFUSED = [413, 422]; // status of a judgement that will never be taken
const KEPT = { judgements: "judgement ", marks: "mark " }; // beginning of the key of each that waits, in the storage of the browser

/**
 * Sends judgements of one audit, or marks of one name. Each has an id of its own, so one that is sent again counts once;
 * those that wait outlive the page.
 * @param {string} path judgements or marks
 * @param {string} name of the audit, or of the marks
 * @param {{told: function(object, object), waits: function(number, string), refused: function(string)}} hear
 *   told: the answer to a judgement, and the judgement; waits: how many wait, and why;
 *   refused: why one will never be taken
 */
export function sender(path, name, hear) {
  const prefix = `${KEPT[path]}${name} `;
  const queue = keptFrom(prefix);
  let busy = false;
  async function send() {
    if (busy) return;
    busy = true;
    while (queue.length) {
      try {
        await one(queue[0]);
        localStorage.removeItem(prefix + queue[0].id);
        queue.shift();
        hear.waits(queue.length, "");
      } catch (error) {
        hear.waits(queue.length, error.message);
        await new Promise((done) => setTimeout(done, AGAIN));
      }
    }
    busy = false;
  }
  async function one(judgement) {
    const answer = await fetch(`${path}/${encodeURIComponent(name)}`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(judgement),
    });
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) hear.told(content, judgement);
    else if (REFUSED.includes(answer.status)) hear.refused(`A judgement was refused: ${content.problem}`, judgement);
    else throw new Error(content.problem ?? "the gallery does not answer");
  }
  send();
  return (judgement) => {
    const whole = { id: newId(), ...judgement };
    try { localStorage.setItem(prefix + whole.id, JSON.stringify(whole)); } catch { /* no room: it waits in this page alone */ }
    queue.push(whole);
    hear.waits(queue.length, "");
    send();
    return whole.id;
  };
}

function keptFrom(prefix) {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  return keys.flatMap((key) => { try { return [JSON.parse(localStorage.getItem(key))]; } catch { return []; } });
}

/** Random: crypto.randomUUID is missing where the page came over plain HTTP from another machine. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
