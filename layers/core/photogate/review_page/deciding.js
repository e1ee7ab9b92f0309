// What one key does to the current photo. Each decision is sent in the background.
import { small } from "./pictures.js";
import { reasonOf, setAsked } from "./reasons.js";
import { $, outcome, strip } from "./view.js";
import { askForWords } from "./words.js";

const UNDO_MS = 10000;

/** Decides what the stage shows; `next` is called when it has to show something else. */
export class Deciding {
  constructor({ tab, hand, stage, outbox, next }) {
    Object.assign(this, { tab, hand, stage, outbox, next });
    this.rejecting = false;
    this.last = null;
  }

  decide(action, body, word) {
    const item = this.stage.item;
    if (item === null) return;
    const id = this.outbox.add({ photoId: item.photo_id, action, body, tab: this.tab });
    this.last = { id, item, until: Date.now() + UNDO_MS, undoable: action !== "escalate" };
    $("undo").disabled = !this.last.undoable;
    setTimeout(() => {
      if (this.last?.id === id) $("undo").disabled = true;
    }, UNDO_MS);
    outcome(word, action);
    strip(`${word}.`);
    this.hand.decided(item);
    this.next();
    this.hand.topUp();
  }

  approve() {
    const item = this.stage.item;
    if (item === null) return;
    if (this.stage.seen.has(item.photo_id)) return this.decide("approve", {}, "Approved");
    const words = item.has_picture
      ? "Reveal the photo before you approve it: Space."
      : "Nobody can approve what nobody can see.";
    strip(words, { kind: "problem" });
  }

  /** The first time asks for the reason, the second time takes the suggested one. */
  reject() {
    const item = this.stage.item;
    if (item === null) return;
    if (!this.rejecting) return this.setRejecting(true);
    if (item.suggested_reason) this.rejectFor(item.suggested_reason);
    else strip("Which reason? Press its digit.", { kind: "problem" });
  }

  /** Rejects for a reason; null asks for words. */
  rejectFor(reason) {
    if (this.stage.item === null) return;
    if (reason !== null) return this.decide("reject", { reason }, "Rejected");
    askForWords("Words for the owner", (words) => (words === "" ? false : this.rejectFor(words)));
  }

  /** Takes the reason of a digit while one is asked for; tells whether it did. */
  digit(key) {
    if (!this.rejecting) return false;
    const reason = reasonOf(key);
    if (reason !== undefined) this.rejectFor(reason);
    return true;
  }

  setRejecting(on) {
    this.rejecting = on;
    setAsked(on);
    if (on) strip("Why? A digit chooses; R takes the marked reason; Esc cancels.");
  }

  escalate() {
    if (this.stage.item === null) return;
    askForWords("Note for the admins (may stay empty)", (note) =>
      this.decide("escalate", { note: note || null }, "Escalated"),
    );
  }

  skip() {
    const item = this.stage.item;
    if (item === null) return;
    this.hand.skip(item);
    outcome("Skipped", "skip");
    strip("Skipped: somebody else may get it.");
    this.next();
    this.hand.take();
  }

  async undo() {
    const taken = this.last;
    if (taken === null || !taken.undoable || Date.now() > taken.until) {
      return strip("Nothing to undo: ten seconds are over.", { kind: "problem" });
    }
    this.last = null;
    $("undo").disabled = true;
    try {
      await this.outbox.undo(taken.id, taken.item.photo_id, this.tab);
    } catch (error) {
      const image = small(taken.item.photo_id);
      return strip(`It cannot be undone: ${error.message}.`, { kind: "problem", image });
    }
    this.hand.putBack(taken.item);
    strip("Undone. Decide it anew.");
    this.next();
    this.hand.take();
  }
}
