// What makes looking easier: how revealed photos are shown, how many it were, and when to rest.
import { $, strip } from "./view.js";

const CHOICES = "photogate-comfort";
const WORK = "photogate-work";
const USUAL = { grey: false, blur: 0, lens: false, breakAfter: 50 };
/** So long without a key or a click is a break. */
const BREAK_MS = 5 * 60000;
/** Through the lens alone things are sharp; what is around it is blurred at least so much. */
const LENS_BLUR = 16;
const LOOK_MS = 15000;

function read(key, usual) {
  try {
    return { ...usual, ...JSON.parse(localStorage.getItem(key)) };
  } catch {
    return { ...usual };
  }
}

/** Choices that this browser keeps. `changed` is called after each. */
export class Comfort {
  constructor(changed) {
    this.choices = read(CHOICES, USUAL);
    this.seen = { revealed: 0, limit: null };
    this.reminded = false;
    this.show();
    const form = $("comfort-form");
    form.elements.grey.checked = this.choices.grey;
    form.elements.lens.checked = this.choices.lens;
    form.elements.blur.value = this.choices.blur;
    form.elements.breakAfter.value = this.choices.breakAfter;
    form.addEventListener("input", () => {
      this.choices = {
        grey: form.elements.grey.checked,
        lens: form.elements.lens.checked,
        blur: Number(form.elements.blur.value),
        breakAfter: Number(form.elements.breakAfter.value),
      };
      localStorage.setItem(CHOICES, JSON.stringify(this.choices));
      this.reminded = false;
      this.show();
      this.tick();
      changed();
    });
    $("picture").addEventListener("pointermove", (event) => this.point(event));
    for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, () => this.works(), true);
    setInterval(() => this.tick(), LOOK_MS);
    this.tick();
  }

  get lens() {
    return this.choices.lens;
  }

  show() {
    const stage = $("stage");
    const blur = this.choices.lens ? Math.max(LENS_BLUR, this.choices.blur) : this.choices.blur;
    stage.style.setProperty("--soft", `${blur}px`);
    stage.style.setProperty("--grey", this.choices.grey ? "1" : "0");
  }

  point(event) {
    const place = $("picture").getBoundingClientRect();
    $("stage").style.setProperty("--x", `${event.clientX - place.left}px`);
    $("stage").style.setProperty("--y", `${event.clientY - place.top}px`);
  }

  /** Takes what the server counted. */
  counted(seen) {
    this.seen = seen;
    this.tick();
  }

  /** Notes that somebody is at work; after a break the time begins anew. */
  works() {
    const now = Date.now();
    const { since, last } = read(WORK, { since: now, last: now });
    const rested = now - last >= BREAK_MS;
    if (rested) this.reminded = false;
    localStorage.setItem(WORK, JSON.stringify({ since: rested ? now : since, last: now }));
    this.tick();
  }

  tick() {
    const now = Date.now();
    const { since, last } = read(WORK, { since: now, last: now });
    const resting = now - last >= BREAK_MS;
    const worked = resting ? 0 : Math.floor((now - since) / 60000);
    const { breakAfter } = this.choices;
    const due = breakAfter > 0 && worked >= breakAfter;
    const of = this.seen.limit === null ? "" : ` of ${this.seen.limit}`;
    const parts = [`${this.seen.revealed}${of} revealed today`];
    if (due) parts.push("time for a break");
    else if (breakAfter > 0) parts.push(`break in ${breakAfter - worked} min`);
    $("day").textContent = parts.join(" · ");
    $("day").classList.toggle("due", due);
    if (due && !this.reminded) {
      this.reminded = true;
      strip(`${worked} minutes without a break. Five minutes away from the screen do good; nothing here runs off.`);
    }
  }
}
