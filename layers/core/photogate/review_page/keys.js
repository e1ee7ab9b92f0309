// Single keys, each for one action; everybody may choose their own.
const KEPT = "photogate-keys";

/** What can be done with a key: its name, its usual keys, and words for the legend. */
export const ACTIONS = [
  ["approve", ["a"], "approve, once the photo was revealed"],
  ["reject", ["r"], "reject, then the digit of the reason; again takes the marked one, 0 words of your own"],
  ["reveal", [" "], "reveal or hide the photo; the first time is logged"],
  ["skip", ["s"], "skip: somebody else may get it"],
  ["escalate", ["e"], "escalate to the admins, with a note or without"],
  ["undo", ["u", "z"], "undo the last decision, for 10 seconds"],
  ["back", ["arrowleft"], "back to the last ten decided photos"],
  ["forward", ["arrowright"], "forward again"],
  ["boxes", ["b"], "show or hide the boxes: faces, parts"],
  ["full", ["f"], "full size, or as it fits"],
  ["hold", ["c"], "suspected abuse of a child: withhold the photo from everybody"],
  ["legend", ["?"], "show the keys"],
];

const NAMED = { " ": "Space", arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓" };

export const keyLabel = (key) => NAMED[key] ?? key.toUpperCase();

/** Says why a key cannot be chosen; null when it can. */
export function refusal(key) {
  if (/^[0-9]$/.test(key)) return "Digits choose reasons.";
  if (key === "/" || key === "'") return "Browsers search with it.";
  if ([...key].length !== 1 && NAMED[key] === undefined) return "Choose a letter, a sign, an arrow or Space.";
  return null;
}

/** Who does what; kept in this browser. */
export class KeyMap {
  constructor() {
    this.keys = new Map(ACTIONS.map(([name, usual]) => [name, usual]));
    let chosen;
    try {
      chosen = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    } catch {
      chosen = {};
    }
    for (const [name, key] of Object.entries(chosen)) {
      if (this.keys.has(name) && typeof key === "string" && refusal(key) === null) this.keys.set(name, [key]);
    }
    // What another version, or a hand, put there must not leave one key with two actions.
    const all = [...this.keys.values()].flat();
    if (new Set(all).size !== all.length) this.reset();
  }

  actionOf(key) {
    for (const [name, keys] of this.keys) if (keys.includes(key)) return name;
    return null;
  }

  label(name) {
    return keyLabel(this.keys.get(name)[0]);
  }

  labels(name) {
    return this.keys.get(name).map(keyLabel);
  }

  /** Gives an action this key alone; says why not, or null. */
  choose(name, key) {
    const why = refusal(key);
    if (why !== null) return why;
    const other = this.actionOf(key);
    if (other !== null && other !== name) return `${keyLabel(key)} is taken: ${other}. Change that one first.`;
    this.keys.set(name, [key]);
    const chosen = ACTIONS.filter(([each, usual]) => String(this.keys.get(each)) !== String(usual));
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(chosen.map(([each]) => [each, this.keys.get(each)[0]]))));
    return null;
  }

  reset() {
    localStorage.removeItem(KEPT);
    for (const [name, usual] of ACTIONS) this.keys.set(name, usual);
  }
}

/**
 * Runs the action of a key that is pressed outside of fields.
 *
 * `actions` has a function for each name; `digit` is asked first about digits and tells whether it
 * took one; `cancel` is Escape.
 */
export function listen(keyMap, { actions, digit, cancel }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return cancel();
    const writes = event.target.closest("input, select, textarea");
    const presses = event.target.closest("button, summary") && (event.key === " " || event.key === "Enter");
    if (writes || presses) return;
    const key = event.key.toLowerCase();
    if (/^[0-9]$/.test(key) && digit(key)) return event.preventDefault();
    const action = actions[keyMap.actionOf(key)];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}
