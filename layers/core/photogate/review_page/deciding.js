// What one key does to the current photo. Each decision is sent in the background.
import { small } from "./pictures.js";
import { reasonOf, setAsked } from "./reasons.js";
import { $, hasKeys, outcome, question, strip } from "./view.js";
import { takeAway } from "./withheld.js";
import { askForWords } from "./words.js";

const UNDO_MS = 10000;
const STATUS = { approve: "approved", reject: "rejected" };

/** Decides what the stage shows; `next` is called when it has to show something else. */
export class Deciding {
  constructor({ tab, hand, stage, outbox, recent, keyMap, next }) {
    Object.assign(this, { tab, hand, stage, outbox, recent, keyMap, next });
    this.rejecting = false;
    /** Takes away the question for the reason. */
    this.answered = () => {};
    this.last = null;
  }

  decide(action, body, word) {
    const item = this.stage.item;
    if (item === null) return;
    if (this.recent.entry !== null) return this.decideAnew(item, action, body, word);
    const id = this.send(item, action, body);
    this.last = { id, item, until: Date.now() + UNDO_MS, undoable: action !== "escalate" };
    $("undo").disabled = !this.last.undoable;
    setTimeout(() => {
      if (this.last?.id === id) $("undo").disabled = true;
    }, UNDO_MS);
    this.recent.add(item, word, action);
    outcome(word, action);
    strip(`${word}.`);
    this.hand.decided(item);
    this.next();
    this.hand.topUp();
  }

  /** Replaces this person's own earlier decision. */
  decideAnew(item, action, body, word) {
    if (STATUS[action] === undefined || this.recent.entry.action === "escalate") {
      const words = STATUS[action] === undefined ? "Approve it or reject it" : "The admins have it now";
      return strip(`${words}, or go forward: ${this.keyMap.label("forward")}.`, { kind: "problem" });
    }
    this.send(item, "redecide", { status: STATUS[action], ...body });
    if (this.last?.item.photo_id === item.photo_id) {
      // What is taken back would be this decision, and not the one that was undone on the screen.
      this.last = null;
      $("undo").disabled = true;
    }
    this.recent.add(item, word, action);
    outcome(word, action);
    strip(`${word} instead.`);
    this.next();
  }

  send(item, action, body) {
    return this.outbox.add({ photoId: item.photo_id, action, body, tab: this.tab });
  }

  approve() {
    const item = this.stage.item;
    if (item === null) return;
    if (this.stage.seen.has(item.photo_id)) return this.decide("approve", {}, "Approved");
    const words = item.has_picture
      ? `Reveal the photo before you approve it: ${this.keyMap.label("reveal")}.`
      : "Nobody can approve what nobody can see.";
    strip(words, { kind: "problem" });
  }

  /** The first time asks for the reason, the second time takes the suggested one. */
  reject() {
    const item = this.stage.item;
    if (item === null) return;
    if (!this.rejecting) return this.setRejecting(true);
    if (item.suggested_reason) this.rejectFor(item.suggested_reason);
    else strip("Which reason? Choose one below.", { kind: "problem" });
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
    this.answered();
    if (!on) return;
    const marked = this.stage.item?.suggested_reason ? `; ${this.keyMap.label("reject")} takes the marked reason` : "";
    const how = hasKeys() ? `A digit chooses${marked}.` : "Choose a reason below.";
    this.answered = question(`Why? ${how}`, () => this.setRejecting(false));
  }

  escalate() {
    if (this.stage.item === null) return;
    if (this.recent.entry !== null) return this.decide("escalate", {}, "Escalated");
    askForWords("Note for the admins (may stay empty)", (note) => {
      this.decide("escalate", { note: note || null }, "Escalated");
    });
  }

  skip() {
    const item = this.stage.item;
    if (item === null) return;
    if (this.recent.entry !== null) return this.forward();
    this.hand.skip(item);
    outcome("Skipped", "skip");
    strip("Skipped: somebody else may get it.");
    this.next();
    this.hand.take();
  }

  /** Withholds the photo from everybody: it goes from every screen before the server answers. */
  hold() {
    const item = this.stage.item;
    if (item === null) return;
    if (this.last?.item.photo_id === item.photo_id) this.last = null;
    this.send(item, "hold", {});
    takeAway(item.photo_id);
    outcome("Withheld", "hold");
    strip("Withheld from everybody, and kept. The admins are told. Take a moment, if you need one.");
  }

  /** Looks at one of the last ten. */
  back() {
    if (!this.recent.back()) return strip("There is none before it.", { kind: "problem" });
    this.next();
    const { item, word } = this.recent.entry;
    const where = `${this.recent.at + 1} of ${this.recent.entries.length}`;
    const on = this.keyMap.label("forward");
    strip(`Back ${where}: ${word.toLowerCase()}. Decide it anew, or go forward: ${on}.`, { image: small(item.photo_id) });
  }

  forward() {
    if (!this.recent.forward()) return;
    if (this.recent.at >= 0) {
      this.recent.at -= 1;
      return this.back();
    }
    this.next();
    strip("This one waits.");
  }

  async undo() {
    const taken = this.last;
    if (taken === null || !taken.undoable || Date.now() > taken.until) {
      const back = this.keyMap.label("back");
      return strip(`Ten seconds are over. Go back and decide anew: ${back}.`, { kind: "problem" });
    }
    this.last = null;
    $("undo").disabled = true;
    try {
      await this.outbox.undo(taken.id, taken.item.photo_id, this.tab);
    } catch (error) {
      const image = small(taken.item.photo_id);
      return strip(`It cannot be undone: ${error.message}.`, { kind: "problem", image });
    }
    this.recent.forget(taken.item.photo_id);
    this.recent.leave();
    this.hand.putBack(taken.item);
    strip("Undone. Decide it anew.");
    this.next();
    this.hand.take();
  }
}
