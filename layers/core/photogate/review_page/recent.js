// The last ten photos that were decided in this tab, to look at them and to decide anew.
const KEPT = "photogate-recent";
const MOST = 10;

export class Recent {
  /** What another person decided in this tab before is not theirs to see. */
  constructor(userId) {
    this.userId = userId;
    /** The last one first: { item, word, action }. */
    this.entries = [];
    /** Which one is looked at; -1 when none is. */
    this.at = -1;
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT));
      if (kept?.user === userId) this.entries = kept.entries;
    } catch {
      // Then there are none.
    }
  }

  /** The one that is looked at, or null. */
  get entry() {
    return this.entries[this.at] ?? null;
  }

  add(item, word, action) {
    this.entries = [{ item, word, action }, ...this.without(item.photo_id)].slice(0, MOST);
    this.leave();
    this.keep();
  }

  /** Goes one further back; false when there is none. */
  back() {
    if (this.at + 1 >= this.entries.length) return false;
    this.at += 1;
    return true;
  }

  /** Goes one forward, at last to the photo that waits; false when nothing was looked at. */
  forward() {
    if (this.at < 0) return false;
    this.at -= 1;
    return true;
  }

  leave() {
    this.at = -1;
  }

  forget(photoId) {
    if (this.entry?.item.photo_id === photoId) this.leave();
    const looked = this.entry;
    this.entries = this.without(photoId);
    this.at = this.entries.indexOf(looked);
    this.keep();
  }

  without(photoId) {
    return this.entries.filter((entry) => entry.item.photo_id !== photoId);
  }

  keep() {
    sessionStorage.setItem(KEPT, JSON.stringify({ user: this.userId, entries: this.entries }));
  }
}

/** Leaves nothing behind in this tab. */
export const forgetRecent = () => sessionStorage.removeItem(KEPT);
