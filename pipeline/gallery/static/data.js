// Where answers and pictures come from.

/** The pseudo-labels that are looked at; empty for the newest. */
export const chosen = { labels: "" };

/** The answer to a question. @throws {Error} with a sentence */
export async function ask(question, given = {}) {
  const answer = await fetch(`api/${question}?${words(given)}`);
  const content = await answer.json().catch(() => ({ problem: "the gallery does not answer" }));
  if (!answer.ok) throw new Error(content.problem ?? "the gallery does not answer");
  return content;
}

/** Address of a picture: thumb, full, or crop. */
export function picture(kind, given) {
  return `picture/${kind}?${words(given)}`;
}

function words(given) {
  const all = { labels: chosen.labels, ...given };
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== "" && value != null));
}
