// The legend of the keys, in which they can be changed.
import { $, element } from "./view.js";

/** Fills the legend and all buttons, and lets keys be chosen; `offers` says which actions the page has. */
export class Legend {
  constructor(keyMap, offers = () => true) {
    this.keyMap = keyMap;
    this.actions = keyMap.actions.filter(({ name, fixed }) => fixed || offers(name));
    /** The action that gets the next key. */
    this.asked = null;
    const dialog = $("legend");
    dialog.addEventListener("keydown", (event) => this.chosen(event));
    dialog.addEventListener("cancel", (event) => this.asked !== null && event.preventDefault());
    dialog.addEventListener("close", () => {
      this.asked = null;
      this.paint();
    });
    $("usual-keys").addEventListener("click", () => {
      this.asked = null;
      keyMap.reset();
      this.paint();
      this.say("All keys are as they were at first.");
    });
    this.paint();
  }

  open() {
    this.say("Press a button of the list to give it another key.");
    $("legend").showModal();
  }

  say(words) {
    $("legend-says").textContent = words;
  }

  paint() {
    const focused = document.activeElement?.dataset?.chooses;
    const rows = this.actions.flatMap((action) => {
      const { name, [this.keyMap.place]: words } = action;
      const term = element("dt");
      const keys = this.keyMap.labels(name).flatMap((label, n) => [n ? " " : "", element("kbd", label)]);
      if (action.fixed) {
        term.append(...keys);
        return [term, element("dd", words)];
      }
      const button = element("button");
      button.type = "button";
      button.dataset.chooses = name;
      button.setAttribute("aria-label", `Key for: ${words}`);
      if (this.asked === name) button.append("…");
      else button.append(...keys);
      button.addEventListener("click", () => {
        this.asked = name;
        this.paint();
        this.say("Press the new key. Esc keeps the old one.");
      });
      term.append(button);
      return [term, element("dd", words)];
    });
    $("key-list").replaceChildren(...rows);
    if (focused) $("key-list").querySelector(`[data-chooses="${focused}"]`)?.focus();
    for (const place of document.querySelectorAll("kbd[data-key]")) {
      place.textContent = this.keyMap.label(place.dataset.key);
    }
  }

  chosen(event) {
    if (this.asked === null || event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    if (["Shift", "Control", "Alt", "Meta", "AltGraph"].includes(event.key)) return;
    if (event.key === "Escape") {
      this.asked = null;
      this.say("It keeps its key.");
      return this.paint();
    }
    const why = this.keyMap.choose(this.asked, event.key.toLowerCase());
    if (why !== null) return this.say(why);
    this.say(`${this.keyMap.label(this.asked)}: ${this.actions.find(({ name }) => name === this.asked)[this.keyMap.place]}.`);
    this.asked = null;
    this.paint();
  }
}
