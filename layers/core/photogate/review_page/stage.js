// The photo in the middle: blurred and grey until it is revealed, which is logged first.
import { call } from "./api.js";
import { picture } from "./pictures.js";
import { $, panel, strip } from "./view.js";

/** Shows one photo; `tell` has signedOut() and revealed(item), called at the first time. */
export class Stage {
  constructor(tell) {
    this.tell = tell;
    this.item = null;
    this.hidden = true;
    /** Photos that this person has seen. */
    this.seen = new Set();
  }

  /** Shows an item, hidden; null shows none. */
  show(item) {
    this.item = item;
    this.hidden = true;
    if (item !== null) this.paint();
  }

  async paint() {
    const item = this.item;
    $("reveal").disabled = !item.has_picture;
    if (!item.has_picture) {
      const why = "No decoder could open it, or its copies are not made yet. Reject it, or skip it.";
      return panel("There is no picture of this photo", why);
    }
    const { image, ready } = picture(item.photo_id, this.hidden ? "preview" : "display");
    panel(null);
    $("stage").classList.toggle("hidden", this.hidden);
    $("picture").replaceChildren(image);
    $("reveal").firstChild.textContent = this.hidden ? "Reveal " : "Hide ";
    if (!(await ready) && this.item === item) {
      panel("The picture cannot be loaded", "Skip it, or try again.", true);
    }
  }

  /** Reveals the photo, or hides it again. */
  async toggle() {
    const item = this.item;
    if (item === null || !item.has_picture) return;
    if (this.hidden && !(await this.noted(item))) return;
    if (this.item !== item) return;
    this.hidden = !this.hidden;
    this.paint();
  }

  /** Lets the server note who looks. The picture is here already, and shown after that. */
  async noted(item) {
    if (this.seen.has(item.photo_id)) return true;
    try {
      await call("POST", `/review/${encodeURIComponent(item.photo_id)}/reveal`);
    } catch (error) {
      if (error.status === 401) this.tell.signedOut();
      else strip(`It cannot be revealed now: ${error.message}.`, { kind: "problem" });
      return false;
    }
    this.seen.add(item.photo_id);
    this.tell.revealed?.(item);
    return true;
  }
}
