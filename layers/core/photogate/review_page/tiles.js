// Photos side by side, of which any may be selected: by keys, by mouse, in ranges.
import { pictureUrl } from "./api.js";
import { element, keeper } from "./view.js";

const STEPS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

/**
 * A list box of photos, each blurred until it is revealed.
 *
 * `describe` gives an item's lines of words; `changed` is called when the selection or the focused
 * photo changes, `opened` with the photo that is to be seen large.
 */
export class Tiles {
  constructor(list, { describe, changed, opened }) {
    Object.assign(this, { list, describe, changed, opened });
    this.items = [];
    this.chosen = new Set();
    /** Photos that are shown as they are. */
    this.revealed = new Set();
    this.problems = new Map();
    this.at = 0;
    this.anchor = 0;
    list.addEventListener("click", (event) => this.clicked(event));
    list.addEventListener("dblclick", () => this.focused && this.opened(this.focused));
    list.addEventListener("focusin", (event) => this.entered(event));
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  get selected() {
    return this.items.filter((item) => this.chosen.has(item.photo_id));
  }

  get focused() {
    return this.items[this.at] ?? null;
  }

  /** Shows these photos: those that are there already stay in their places. */
  set(items) {
    const fresh = new Map(items.map((item) => [item.photo_id, item]));
    const kept = this.items.filter((item) => fresh.has(item.photo_id));
    const known = new Set(kept.map((item) => item.photo_id));
    const before = this.focused;
    this.items = [
      ...kept.map((item) => fresh.get(item.photo_id)),
      ...items.filter((item) => !known.has(item.photo_id)),
    ];
    for (const photoId of this.chosen) if (!fresh.has(photoId)) this.chosen.delete(photoId);
    const again = this.items.findIndex((item) => item.photo_id === before?.photo_id);
    this.at = again >= 0 ? again : Math.max(0, Math.min(this.at, this.items.length - 1));
    this.anchor = this.at;
    this.paint();
  }

  /** Puts the focus on the photo that it was on last. */
  focus() {
    this.list.children[this.at]?.focus();
  }

  /** Takes photos away. */
  drop(photoIds) {
    const gone = new Set(photoIds);
    this.set(this.items.filter((item) => !gone.has(item.photo_id)));
  }

  /** Marks a photo with what went wrong; null takes the mark away. */
  mark(photoId, problem) {
    if (problem === null) this.problems.delete(photoId);
    else this.problems.set(photoId, problem);
  }

  selectAll() {
    const all = this.chosen.size === this.items.length;
    this.chosen = new Set(all ? [] : this.items.map((item) => item.photo_id));
    this.paint();
  }

  clear() {
    this.chosen.clear();
    this.paint();
  }

  paint() {
    const held = this.list.contains(document.activeElement);
    const known = new Map([...this.list.children].map((tile) => [tile.dataset.photo, tile]));
    const tiles = this.items.map((item, index) => {
      const tile = known.get(item.photo_id) ?? made(item);
      tile.setAttribute("aria-selected", String(this.chosen.has(item.photo_id)));
      tile.tabIndex = index === this.at ? 0 : -1;
      this.fill(tile, item);
      return tile;
    });
    const same = tiles.length === known.size && tiles.every((t, n) => t === this.list.children[n]);
    if (!same) this.list.replaceChildren(...tiles);
    if (held) tiles[this.at]?.focus();
    this.changed();
  }

  fill(tile, item) {
    const revealed = this.revealed.has(item.photo_id);
    const image = tile.querySelector("img");
    const url = pictureUrl(item.photo_id, revealed ? "thumb" : "preview");
    if (image !== null && image.getAttribute("src") !== url) image.src = url;
    tile.classList.toggle("hidden", !revealed);
    const problem = this.problems.get(item.photo_id);
    const lines = this.describe(item).map(([words, kind]) => element("span", words, kind));
    if (item.test) lines.push(element("span", "test photo", "test"));
    if (problem !== undefined) lines.push(element("span", problem, "problem"));
    tile.querySelector(".words").replaceChildren(...lines);
  }

  clicked(event) {
    const tile = event.target.closest("[role=option]");
    if (tile === null) return;
    const index = [...this.list.children].indexOf(tile);
    if (event.shiftKey) this.range(index);
    else this.toggle(index);
    this.move(index);
  }

  entered(event) {
    const index = [...this.list.children].indexOf(event.target);
    if (index >= 0 && index !== this.at) this.move(index);
  }

  pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || this.items.length === 0) return;
    if (document.querySelector("dialog[open]")) return;
    if (keeper(event, "input, select, textarea, button, a, summary")) return;
    if (STEPS.includes(event.key)) {
      const to = this.beside(event.key);
      if (event.shiftKey) this.range(to);
      else this.anchor = to;
      this.move(to);
    } else if (event.key === " " || event.key.toLowerCase() === "x") {
      if (event.shiftKey) this.range(this.at);
      else this.toggle(this.at);
      this.move(this.at);
    } else if (event.key === "Enter") {
      this.opened(this.focused);
    } else return;
    event.preventDefault();
  }

  /** Gives the place that a key leads to. */
  beside(key) {
    const last = this.items.length - 1;
    if (key === "Home") return 0;
    if (key === "End") return last;
    const tops = [...this.list.children].map((tile) => tile.offsetTop);
    const columns = tops.filter((top) => top === tops[0]).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    const to = this.at + step;
    return to < 0 || to > last ? this.at : to;
  }

  /** Selects everything from the last photo that was selected alone up to this one. */
  range(to) {
    const [from, until] = [Math.min(this.anchor, to), Math.max(this.anchor, to)];
    for (const item of this.items.slice(from, until + 1)) this.chosen.add(item.photo_id);
  }

  toggle(index) {
    const { photo_id: photoId } = this.items[index];
    if (!this.chosen.delete(photoId)) this.chosen.add(photoId);
    this.anchor = index;
  }

  move(index) {
    this.at = index;
    this.paint();
    this.list.children[index]?.focus();
  }
}

function made(item) {
  const tile = element("li");
  tile.setAttribute("role", "option");
  tile.dataset.photo = item.photo_id;
  const frame = element("div", null, "frame");
  if (item.has_picture) {
    const image = new Image();
    image.alt = "";
    image.loading = "lazy";
    image.decoding = "async";
    image.draggable = false;
    image.addEventListener("error", () => frame.classList.add("broken"));
    image.addEventListener("load", () => frame.classList.remove("broken"));
    frame.append(image);
  } else frame.classList.add("broken");
  tile.append(frame, element("div", null, "words"));
  return tile;
}
