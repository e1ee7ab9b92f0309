// Single keys, each for one action; everybody may choose their own.
import { keeper } from "./view.js";

const KEPT = "photogate-keys";

/**
 * What can be done with a key: its usual keys, and words for the legend of the page of one photo
 * (`review`) and of the pages of many (`lists`), where it can be done there. Fixed keys stay.
 */
export const ACTIONS = [
  { name: "go", keys: ["arrowleft", "arrowright", "arrowup", "arrowdown"], fixed: true, lists: "go to another photo; with Shift select all on the way" },
  { name: "select", keys: [" ", "x"], fixed: true, lists: "select the photo, or not; with Shift all from the last one" },
  { name: "open", keys: ["enter"], fixed: true, lists: "see the photo large; it is revealed by that" },
  { name: "all", keys: ["t"], lists: "select all, or none" },
  { name: "look", keys: ["v"], lists: "reveal the selected photos; it is logged" },
  { name: "approve", keys: ["a"], review: "approve, once the photo was revealed", lists: "approve the selected photos, once they were revealed; this restores rejected ones" },
  { name: "reject", keys: ["r"], review: "reject, then the digit of the reason; again takes the marked one, 0 words of your own", lists: "reject the selected photos; a digit chooses the reason, 0 words of your own" },
  { name: "verify", keys: ["y"], lists: "confirm that the rejections were right" },
  { name: "delete", keys: ["d"], lists: "delete rejected photos for good" },
  { name: "reveal", keys: [" "], review: "reveal or hide the photo; the first time is logged" },
  { name: "skip", keys: ["s"], review: "skip: somebody else may get it" },
  { name: "escalate", keys: ["e"], review: "escalate to the admins, with a note or without", lists: "escalate the selected photos to the admins, with a note or without" },
  { name: "undo", keys: ["u", "z"], review: "undo the last decision, for 10 seconds", lists: "undo the last decision, for 10 seconds" },
  { name: "back", keys: ["arrowleft"], review: "back to the last ten decided photos" },
  { name: "forward", keys: ["arrowright"], review: "forward again" },
  { name: "boxes", keys: ["b"], review: "show or hide the boxes: faces, parts" },
  { name: "full", keys: ["f"], review: "full size, or as it fits" },
  { name: "hold", keys: ["c"], review: "suspected abuse of a child: withhold the photo from everybody", lists: "suspected abuse of a child: withhold the selected photos, or the one you are at, from everybody" },
  { name: "legend", keys: ["?"], review: "show the keys", lists: "show the keys" },
];
const PLACES = ["review", "lists"];

const NAMED = { " ": "Space", arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓" };

export const keyLabel = (key) => NAMED[key] ?? (key === "enter" ? "Enter" : key.toUpperCase());

/** Says why a key cannot be chosen; null when it can. */
export function refusal(key) {
  if (/^[0-9]$/.test(key)) return "Digits choose reasons.";
  if (key === "/" || key === "'") return "Browsers search with it.";
  if ([...key].length !== 1 && NAMED[key] === undefined) return "Choose a letter, a sign, an arrow or Space.";
  return null;
}

const meet = (one, other) => PLACES.some((place) => one[place] && other[place]);

/** Which key does what in one place, `review` or `lists`; kept in this browser for both. */
export class KeyMap {
  constructor(place) {
    this.place = place;
    this.keys = new Map(ACTIONS.map(({ name, keys }) => [name, keys]));
    let chosen;
    try {
      chosen = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    } catch {
      chosen = {};
    }
    for (const { name, fixed } of ACTIONS) {
      const key = chosen[name];
      if (!fixed && typeof key === "string" && refusal(key) === null) this.keys.set(name, [key]);
    }
    // What another version, or a hand, put there must not leave one key with two actions.
    const taken = ({ name }) => this.keys.get(name).some((key) => this.other(name, key) !== undefined);
    if (ACTIONS.some(taken)) this.reset();
  }

  /** The actions of this place. */
  get actions() {
    return ACTIONS.filter((action) => action[this.place]);
  }

  actionOf(key) {
    return this.actions.find(({ name }) => this.keys.get(name).includes(key))?.name ?? null;
  }

  /** Gives another action that has this key in a place where this one is, too. */
  other(name, key) {
    const mine = ACTIONS.find((action) => action.name === name);
    return ACTIONS.find((action) => action !== mine && meet(action, mine) && this.keys.get(action.name).includes(key));
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
    const other = this.other(name, key);
    if (other?.fixed) return `${keyLabel(key)} is taken: ${other.name}.`;
    if (other) return `${keyLabel(key)} is taken: ${other.name}. Change that one first.`;
    this.keys.set(name, [key]);
    const chosen = ACTIONS.filter((each) => String(this.keys.get(each.name)) !== String(each.keys));
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(chosen.map((each) => [each.name, this.keys.get(each.name)[0]]))));
    return null;
  }

  reset() {
    localStorage.removeItem(KEPT);
    for (const { name, keys } of ACTIONS) this.keys.set(name, keys);
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
    const writes = keeper(event, "input, select, textarea");
    const presses = keeper(event, "button, summary") && (event.key === " " || event.key === "Enter");
    if (writes || presses) return;
    const key = event.key.toLowerCase();
    if (/^[0-9]$/.test(key) && digit(key)) return event.preventDefault();
    const action = actions[keyMap.actionOf(key)];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}
