// The photos that this tab holds: taken from the server, renewed, and filled up.
import { call } from "./api.js";
import { prefetch } from "./pictures.js";

/** So many photos, unless the page asks for others. */
const HELD = 4;
const RENEW_MS = 45000;
const LOOK_AGAIN_MS = 5000;
const SOON_MS = 250;
const SKIPS_KEPT = 500;

/**
 * What is held, the current photo first.
 *
 * `tell` has: filled(answer, sameCurrent), lost(), silent(error), signedOut(). `wanted` gives the
 * filter, `unsent` how many decisions the server does not have yet. `held` photos are held at once, and
 * `load` is called with them.
 */
export class Hand {
  constructor(tab, { tell, wanted, unsent, held = HELD, load = prefetch }) {
    this.tab = tab;
    this.tell = tell;
    this.wanted = wanted;
    this.unsent = unsent;
    this.held = held;
    this.load = load;
    this.items = [];
    this.passed = [];
    /** Photos that were decided here, and that the server may still count as held. */
    this.gone = new Set();
    /** Photos that are withheld from everybody. */
    this.banned = new Set();
    this.open = false;
    this.taking = null;
    /** Counts what left the hand; an answer that was asked for before says nothing of now. */
    this.left = 0;
    /** Whether an empty hand means that nothing waits. */
    this.known = false;
    this.timer = null;
    /** How many answers in a row gave nothing. */
    this.empty = 0;
  }

  get current() {
    return this.items[0] ?? null;
  }

  begin() {
    this.open = true;
    return this.take();
  }

  /** Holds nothing and asks for nothing any more. */
  end() {
    this.open = false;
    clearTimeout(this.timer);
    this.items = [];
  }

  /** Renews what is held and fills it up. One call at a time. */
  take() {
    if (!this.open) return Promise.resolve();
    this.taking ??= this.fill().finally(() => {
      this.taking = null;
    });
    return this.taking;
  }

  async fill() {
    clearTimeout(this.timer);
    const count = Math.min(60, this.held + this.unsent());
    const { left } = this;
    let answer;
    try {
      answer = await call("POST", "/review/take", {
        tab: this.tab,
        count,
        passed: this.passed,
        ...this.wanted(),
      });
    } catch (error) {
      if (error.status === 401 || error.status === 403) return this.tell.signedOut();
      this.tell.silent(error);
      this.timer = setTimeout(() => this.take(), LOOK_AGAIN_MS);
      return;
    }
    const before = this.current;
    // What is known stays the same object: others wait for an answer about it.
    const known = new Map(this.items.map((item) => [item.photo_id, item]));
    const fresh = answer.items
      .filter((item) => !this.gone.has(item.photo_id) && !this.banned.has(item.photo_id))
      .map((item) => Object.assign(known.get(item.photo_id) ?? {}, item));
    // What is looked at stays first, whatever is more urgent by now.
    const still = fresh.find((item) => item.photo_id === before?.photo_id);
    this.items = still ? [still, ...fresh.filter((item) => item !== still)] : fresh;
    this.load(this.items);
    this.known = left === this.left;
    const mine = before !== null && (this.gone.has(before.photo_id) || this.banned.has(before.photo_id));
    const lost = before !== null && !still && !mine;
    const held = new Set(answer.items.map((item) => item.photo_id));
    for (const photoId of this.gone) if (!held.has(photoId)) this.gone.delete(photoId);
    // The server counts those that are decided here, and that it does not know of yet.
    const waiting = Math.max(0, answer.waiting.n - this.gone.size);
    if (lost) this.tell.lost();
    this.tell.filled({ ...answer, waiting: { ...answer.waiting, n: waiting } }, Boolean(still));
    // Soon at first: a tab that was just closed or reloaded may be giving its photos back.
    this.empty = this.current ? 0 : this.empty + 1;
    const pause = Math.min(LOOK_AGAIN_MS, SOON_MS * 2 ** this.empty);
    this.timer = setTimeout(() => this.take(), this.current ? RENEW_MS : pause);
  }

  /** Goes on to the next photo: this one was decided here. */
  decided(item) {
    this.gone.add(item.photo_id);
    this.drop(item.photo_id);
  }

  /** Goes on to the next photo: others may get this one. */
  skip(item) {
    this.passed = [...this.passed, item.id].slice(-SKIPS_KEPT);
    this.drop(item.photo_id);
  }

  /** Puts a photo first that the server gave back. */
  putBack(item) {
    this.gone.delete(item.photo_id);
    this.items = [item, ...this.items.filter((other) => other.photo_id !== item.photo_id)];
  }

  /** Never shows this photo again. */
  ban(photoId) {
    this.banned.add(photoId);
    this.drop(photoId);
    this.topUp();
  }

  drop(photoId) {
    this.left += 1;
    this.known = false;
    this.items = this.items.filter((item) => item.photo_id !== photoId);
  }

  topUp() {
    if (this.items.length < this.held - 1) this.take();
  }

  /** Gives everything back, so that others get it at once. */
  release(options = {}) {
    return call("POST", "/review/release", { tab: this.tab }, options);
  }

  /** Holds nothing, and takes anew what the filter says. */
  async restart() {
    this.passed = [];
    await this.taking;
    this.items = [];
    this.known = false;
    await this.release().catch(() => {
      // Then the leases end by themselves.
    });
    return this.take();
  }
}
