// Puts words and parts into the page. Whatever comes from outside is set as text.

export const $ = (id) => document.getElementById(id);

export function element(name, text = null, className = null) {
  const made = document.createElement(name);
  if (text !== null) made.textContent = text;
  if (className !== null) made.className = className;
  return made;
}

/** Says that the page works now, see loading.js. */
export const ready = () => dispatchEvent(new Event("page-ready"));

/**
 * Gives the part of one of these kinds that keeps a key for itself, or null. The focus stays in a dialog
 * for a moment after it was closed: by then keys are the page's again.
 */
export function keeper(event, kinds) {
  return event.target.closest("dialog:not([open])") ? null : event.target.closest(kinds);
}

/** Shows a state in place of a photo; null shows the photo. */
export function panel(title, words = "", again = false) {
  $("panel").hidden = title === null;
  $("picture").hidden = title !== null;
  $("state").textContent = title ?? "";
  $("state-words").textContent = words;
  $("again").hidden = !again;
}

/** Says something in the strip above the buttons, whose place is always kept free. */
export function strip(words, { kind = "plain", image = null } = {}) {
  const line = element("p", words, "clipped");
  $("strip").replaceChildren(...(image === null ? [line] : [image, line]));
  $("strip").className = kind;
}

/** Tells whether buttons name their keys: on a phone they do not, and there are none to press. */
export const hasKeys = () => matchMedia("(min-width: 901px)").matches;

/**
 * Asks something in the strip, beside a button that calls `cancel`. Gives a function that takes the
 * question away, as far as it still stands there.
 */
export function question(words, cancel) {
  strip(words);
  const out = element("button", "Cancel ");
  out.type = "button";
  out.append(element("kbd", "Esc"));
  out.addEventListener("click", () => {
    cancel();
    $("stage").focus();
  });
  $("strip").append(out);
  return () => out.isConnected && strip("");
}

/** Shows a decision for a moment: a coloured edge and one word. */
export function outcome(word, kind) {
  const place = $("outcome");
  place.replaceChildren(element("span", word));
  place.className = "";
  // Reading a size lets the animation begin anew.
  void place.offsetWidth;
  place.className = `${kind} shown`;
}
