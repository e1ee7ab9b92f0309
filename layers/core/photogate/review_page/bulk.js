// One act for all photos that are selected. Each photo has its own result.
import { call } from "./api.js";
import { REASONS, makeChips, reasonOf, setAsked } from "./reasons.js";
import { $, hasKeys, question, strip } from "./view.js";
import { takeAway } from "./withheld.js";
import { askForWords, closeWords } from "./words.js";

/** As many as the API takes at once. */
const AT_ONCE = 60;
const UNDO_MS = 10000;
const DONE = {
  approve: "approved",
  reject: "rejected",
  verify: "confirmed",
  delete: "deleted",
  reveal: "revealed",
  undo: "undone",
  escalate: "escalated",
};

const photos = (n) => (n === 1 ? "1 photo" : `${n} photos`);

/** Acts on what `tiles` has selected; `settled` gets the act and the items it was done for. */
export class Bulk {
  constructor({ tab, tiles, outbox, keyMap, settled, signedOut }) {
    Object.assign(this, { tab, tiles, outbox, keyMap, settled, signedOut });
    this.busy = false;
    this.asked = null;
    this.rejecting = false;
    /** Takes away the question for the reason. */
    this.answered = () => {};
    this.last = null;
    for (const [name, act] of Object.entries(this.actions)) $(name).addEventListener("click", act);
    $("confirm").addEventListener("submit", (event) => {
      event.preventDefault();
      this.confirmed();
    });
    $("confirm-no").addEventListener("click", () => this.cancel());
    if ($("reject")) makeChips((reason) => this.rejectFor(reason));
  }

  /** What keys and buttons do, by the names of the keys: those for which the page has a button. */
  get actions() {
    const all = {
      all: () => this.tiles.selectAll(),
      look: () => this.ask("reveal"),
      approve: () => this.ask("approve"),
      reject: () => this.reject(),
      verify: () => this.ask("verify"),
      delete: () => this.ask("delete"),
      escalate: () => this.escalate(),
      undo: () => this.undo(),
      hold: () => this.hold(),
    };
    return Object.fromEntries(Object.entries(all).filter(([name]) => $(name) !== null));
  }

  /** Asks once, with the number, before more than one photo is changed, or one is deleted. */
  ask(action, reason = null) {
    const items = this.tiles.selected;
    if (this.busy || !this.ready(action, items)) return;
    this.cancel();
    if (action === "reveal" || (items.length === 1 && action !== "delete")) {
      return this.run(action, items, reason);
    }
    const why = reason === null ? "" : `: ${REASONS.find(([code]) => code === reason)?.[1] ?? reason}`;
    const forGood = action === "delete" ? " for good" : "";
    const verb = action[0].toUpperCase() + action.slice(1);
    const go = () => this.run(action, items, reason);
    this.confirm(`${verb} ${photos(items.length)}${forGood}${why}?`, go);
  }

  /** Asks in the place of the strip, and goes on after a yes. */
  confirm(words, go) {
    this.asked = go;
    $("confirm-words").textContent = words;
    $("strip").hidden = true;
    $("confirm").hidden = false;
    $("confirm-yes").focus();
  }

  ready(action, items) {
    if (items.length === 0) {
      strip("Select photos first: Space, or Shift and arrows.", { kind: "problem" });
      return false;
    }
    const unseen = items.filter((item) => !this.tiles.revealed.has(item.photo_id)).length;
    if (action !== "approve" || unseen === 0) return true;
    const key = this.keyMap.label("look");
    strip(`${unseen} of ${photos(items.length)} not revealed yet: ${key} reveals them.`, { kind: "problem" });
    return false;
  }

  confirmed() {
    const go = this.asked;
    this.cancel();
    go();
  }

  cancel() {
    closeWords();
    this.rejecting = false;
    if ($("reject")) setAsked(false);
    this.answered();
    if (this.asked === null) return;
    this.asked = null;
    $("confirm").hidden = true;
    $("strip").hidden = false;
    $("stage").focus();
  }

  reject() {
    if (this.busy || !this.ready("reject", this.tiles.selected)) return;
    this.cancel();
    this.rejecting = true;
    setAsked(true);
    const how = hasKeys() ? "A digit chooses." : "Choose a reason below.";
    this.answered = question(`Why are ${photos(this.tiles.selected.length)} rejected? ${how}`, () => this.cancel());
  }

  /** Rejects for a reason; null asks for words. */
  rejectFor(reason) {
    if (this.busy || !this.ready("reject", this.tiles.selected)) return;
    if (reason !== null) return this.ask("reject", reason);
    this.cancel();
    askForWords("Words for the owners", (words) => {
      if (words === "") return false;
      closeWords();
      this.ask("reject", words);
      return true;
    });
  }

  /** Takes the reason of a digit while one is asked for; tells whether it did. */
  digit(key) {
    if (!this.rejecting) return false;
    const reason = reasonOf(key);
    if (reason !== undefined) this.rejectFor(reason);
    return true;
  }

  escalate() {
    if (this.busy || !this.ready("escalate", this.tiles.selected)) return;
    this.cancel();
    const items = this.tiles.selected;
    askForWords("Note for the admins (may stay empty)", (note) => {
      this.run("escalate", items, note || null);
    });
  }

  /** Withholds what is selected, else the photo that the focus is on; asks only before several. */
  hold(items = this.tiles.selected) {
    const meant = items.length > 0 || this.tiles.focused === null ? items : [this.tiles.focused];
    if (meant.length === 0) return;
    this.cancel();
    if (meant.length === 1) this.withhold(meant);
    else this.confirm(`Suspected abuse of a child: withhold ${photos(meant.length)}?`, () => this.withhold(meant));
  }

  /** They go from every screen before the server answers; what is on its way is kept until it has. */
  withhold(items) {
    for (const { photo_id: photoId } of items) {
      this.outbox.add({ photoId, action: "hold", body: {}, tab: this.tab });
      takeAway(photoId);
    }
    strip("Withheld from everybody, and kept. The admins are told. Take a moment, if you need one.");
  }

  /** Does it, in parts that the API takes, and tells what became of each photo. */
  async run(action, items, reason = null) {
    this.busy = true;
    strip(`${photos(items.length)} …`);
    const done = [];
    let failed = 0;
    let silent = null;
    for (let from = 0; from < items.length && silent === null; from += AT_ONCE) {
      const part = items.slice(from, from + AT_ONCE);
      try {
        const results =
          action === "escalate"
            ? await this.escalated(part, reason)
            : (await call("POST", "/bulk", this.body(action, part, reason))).results;
        const by = new Map(results.map((result) => [result.photo_id, result]));
        for (const item of part) {
          const result = by.get(item.photo_id);
          this.tiles.mark(item.photo_id, result.problem);
          if (result.done) done.push(Object.assign(item, now(result)));
          else failed += 1;
        }
      } catch (error) {
        silent = error;
      }
    }
    this.busy = false;
    if (action === "reveal") for (const item of done) this.tiles.revealed.add(item.photo_id);
    else for (const item of done) this.tiles.chosen.delete(item.photo_id);
    this.tell(action, done, failed, silent, items.length);
    this.keep(action, done);
    this.settled(action, done);
    this.tiles.paint();
    if (silent?.status === 401 || silent?.status === 403) this.signedOut();
  }

  async escalated(part, note) {
    const results = [];
    for (const { photo_id } of part) {
      let problem = null;
      try {
        await call("POST", `/review/${encodeURIComponent(photo_id)}/escalate`, { tab: this.tab, note });
      } catch (error) {
        if (error.passing || error.status === 401 || error.status === 403) throw error;
        problem = error.message;
      }
      results.push({ photo_id, problem, done: problem === null, status: null });
    }
    return results;
  }

  body(action, part, reason) {
    const body = { tab: this.tab, action };
    if (reason !== null) body.reason = reason;
    // What somebody else changed meanwhile is left alone.
    const decides = action === "approve" || action === "reject";
    body.photos = part.map((item) => ({ photo_id: item.photo_id, seen: decides ? item.status : null }));
    return body;
  }

  tell(action, done, failed, silent, all) {
    const words = [`${photos(done.length)} ${DONE[action]}`];
    if (failed > 0) words.push(`${failed} not: why stands below each`);
    if (silent !== null) words.push(`${all - done.length - failed} not sent: ${silent.message}`);
    const kind = failed > 0 || silent !== null ? "problem" : "plain";
    strip(`${words.join("; ")}.`, { kind });
  }

  keep(action, done) {
    if (action !== "approve" && action !== "reject") {
      if (action !== "reveal") this.forget();
      return;
    }
    const last = { items: done };
    this.last = last;
    if ($("undo")) $("undo").disabled = done.length === 0;
    setTimeout(() => this.last === last && this.forget(), UNDO_MS);
  }

  forget() {
    this.last = null;
    if ($("undo")) $("undo").disabled = true;
  }

  undo() {
    if (this.busy) return;
    if (this.last === null || this.last.items.length === 0) {
      return strip("Nothing to undo: ten seconds are over.", { kind: "problem" });
    }
    this.run("undo", this.last.items);
  }
}

/** What a result says of the photo from now on. */
function now(result) {
  return result.status === null ? {} : { status: result.status, reason: result.reason };
}
