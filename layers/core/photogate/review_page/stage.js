// The photo in the middle: blurred and grey until it is revealed, which is logged first.
import { call } from "./api.js";
import { drawBoxes } from "./boxes.js";
import { picture } from "./pictures.js";
import { $, panel, strip } from "./view.js";

const BOXES = "photogate-boxes";

/** Shows one photo; `tell` has signedOut() and revealed(counted), called at the first time. */
export class Stage {
  constructor(tell) {
    this.tell = tell;
    this.item = null;
    /** How it is shown: "hidden", "lens" (sharp around the pointer alone), or "shown". */
    this.mode = "hidden";
    /** Whether revealing begins with the lens. */
    this.lens = () => false;
    this.boxes = localStorage.getItem(BOXES) === "yes";
    /** Photos that this person has seen. */
    this.seen = new Set();
  }

  /** Shows an item, hidden; null shows none. */
  show(item) {
    this.item = item;
    this.mode = "hidden";
    if (item !== null) return this.paint();
    $("picture").replaceChildren();
    this.nameReveal();
  }

  /** Says on the button what it does next. */
  nameReveal() {
    $("reveal-word").textContent = { hidden: "Reveal", lens: "Whole", shown: "Hide" }[this.mode];
  }

  async paint() {
    const item = this.item;
    $("reveal").disabled = !item.has_picture;
    if (!item.has_picture) {
      const why = "No decoder could open it, or its copies are not made yet. Reject it, or skip it.";
      return panel("There is no picture of this photo", why);
    }
    const hidden = this.mode === "hidden";
    const { image, ready } = picture(item.photo_id, hidden ? "preview" : "display");
    panel(null);
    $("stage").className = this.mode;
    $("picture").replaceChildren(image);
    if (this.mode === "lens") {
      const sharp = image.cloneNode();
      sharp.alt = "";
      sharp.className = "sharp";
      $("picture").append(sharp);
    }
    this.nameReveal();
    const loaded = await ready;
    if (this.item !== item || !$("picture").contains(image)) return;
    if (!loaded) return panel("The picture cannot be loaded", "Skip it, or try again.", true);
    this.paintBoxes(image);
  }

  paintBoxes(image) {
    $("boxes").setAttribute("aria-pressed", String(this.boxes));
    $("picture").querySelector(".boxes")?.remove();
    const boxes = this.item?.boxes ?? [];
    if (!this.boxes || this.mode === "hidden" || boxes.length === 0) return;
    $("picture").append(drawBoxes(boxes, image.naturalWidth, image.naturalHeight));
  }

  /** Reveals the photo, or hides it again. */
  async toggle() {
    const item = this.item;
    if (item === null || !item.has_picture) return;
    if (this.mode === "hidden" && !(await this.noted(item))) return;
    if (this.item !== item) return;
    if (this.mode === "hidden") strip("");
    const first = this.lens() ? "lens" : "shown";
    this.mode = { hidden: first, lens: "shown", shown: "hidden" }[this.mode];
    this.paint();
  }

  toggleBoxes() {
    this.boxes = !this.boxes;
    localStorage.setItem(BOXES, this.boxes ? "yes" : "no");
    const image = $("picture").querySelector("img");
    if (image) this.paintBoxes(image);
    if (!this.boxes) return strip("No boxes.");
    if (!this.item?.boxes.length) return strip("No face and no part of this photo is known.");
    strip(this.mode === "hidden" ? "Boxes are drawn once the photo is revealed." : "Boxes: faces blue, parts red.");
  }

  /** Shows the photo pixel by pixel, to be scrolled, or as it fits. */
  toggleFull() {
    const full = document.body.classList.toggle("full");
    $("full").setAttribute("aria-pressed", String(full));
  }

  /** Lets the server note who looks. The picture is here already, and shown after that. */
  async noted(item) {
    if (this.seen.has(item.photo_id)) return true;
    try {
      this.tell.revealed(await call("POST", `/review/${encodeURIComponent(item.photo_id)}/reveal`));
    } catch (error) {
      if (error.status === 401) this.tell.signedOut();
      else strip(`It cannot be revealed now: ${error.message}.`, { kind: "problem" });
      return false;
    }
    this.seen.add(item.photo_id);
    return true;
  }
}
