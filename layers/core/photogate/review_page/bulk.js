// One act for all photos that are selected. Each photo has its own result.
import { call } from "./api.js";
import { REASONS, makeChips, reasonOf, setAsked } from "./reasons.js";
import { $, strip } from "./view.js";
import { askForWords, closeWords } from "./words.js";

/** As many as the API takes at once. */
const AT_ONCE = 60;
const UNDO_MS = 10000;
const DONE = {
  approve: "approved",
  reject: "rejected",
  verify: "verified",
  delete: "deleted",
  reveal: "revealed",
  undo: "undone",
};

const photos = (n) => (n === 1 ? "1 photo" : `${n} photos`);

/** Acts on what `tiles` has selected; `settled` gets the act and the items it was done for. */
export class Bulk {
  constructor({ tab, tiles, settled, signedOut }) {
    Object.assign(this, { tab, tiles, settled, signedOut });
    this.busy = false;
    this.asked = null;
    this.rejecting = false;
    this.last = null;
    for (const action of ["approve", "verify", "delete", "reveal"]) {
      $(action)?.addEventListener("click", () => this.ask(action));
    }
    $("reject")?.addEventListener("click", () => this.reject());
    $("undo")?.addEventListener("click", () => this.undo());
    $("select-all").addEventListener("click", () => this.tiles.selectAll());
    $("confirm").addEventListener("submit", (event) => {
      event.preventDefault();
      this.confirmed();
    });
    $("confirm-no").addEventListener("click", () => this.cancel());
    if ($("reject")) makeChips((reason) => this.rejectFor(reason));
  }

  /** The keys of these acts, for those that the page has. */
  get keys() {
    const keys = { a: "approve", v: "reveal", c: "verify", d: "delete" };
    const acts = Object.entries(keys)
      .filter(([, action]) => $(action))
      .map(([key, action]) => [key, () => this.ask(action)]);
    const rest = { t: () => this.tiles.selectAll(), u: () => this.undo(), z: () => this.undo() };
    return { ...Object.fromEntries(acts), r: () => this.reject(), ...rest };
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
    this.asked = { action, items, reason };
    $("confirm-words").textContent = `${verb} ${photos(items.length)}${forGood}${why}?`;
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
    strip(`${unseen} of ${photos(items.length)} not revealed yet: V reveals them.`, { kind: "problem" });
    return false;
  }

  confirmed() {
    const { action, items, reason } = this.asked;
    this.cancel();
    this.run(action, items, reason);
  }

  cancel() {
    closeWords();
    this.rejecting = false;
    if ($("reject")) setAsked(false);
    if (this.asked === null) return;
    this.asked = null;
    $("confirm").hidden = true;
    $("strip").hidden = false;
    $("stage").focus();
  }

  reject() {
    if (!$("reject") || this.busy || !this.ready("reject", this.tiles.selected)) return;
    this.cancel();
    this.rejecting = true;
    setAsked(true);
    strip(`Why are ${photos(this.tiles.selected.length)} rejected? A digit chooses; Esc cancels.`);
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
        const answer = await call("POST", "/bulk", this.body(action, part, reason));
        const by = new Map(answer.results.map((result) => [result.photo_id, result]));
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
    if (!$("undo") || this.busy) return;
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
