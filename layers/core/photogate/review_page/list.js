// A page with a list of photos: puts tiles, acts, keys and states together.
import { call, pictureUrl } from "./api.js";
import { Bulk } from "./bulk.js";
import { KeyMap, listen } from "./keys.js";
import { Legend } from "./legend.js";
import { Outbox } from "./outbox.js";
import { enter, signedOut } from "./pages.js";
import { Tiles } from "./tiles.js";
import { $, element, strip } from "./view.js";
import { watch } from "./withheld.js";

/** Shows a state in place of the photos; null shows the photos. */
export function state(title, words = "") {
  $("panel").hidden = title === null;
  $("tiles").hidden = title !== null;
  $("state").textContent = title ?? "";
  $("state-words").textContent = words;
}

/**
 * Makes the page's parts; gives null when nobody is signed in who may use it.
 *
 * `describe` gives a photo's lines for its tile, `tell` words and links about the focused one,
 * `settled` is called after each act, `withheld` with a photo that nobody may see any more.
 */
export async function listPage({ tab, describe, tell, settled, withheld }) {
  const session = await enter("moderator", state);
  if (session === null) return null;
  const left = () => signedOut(state);
  const tiles = new Tiles($("tiles"), { describe, changed, opened });
  const keyMap = new KeyMap("lists");
  const outbox = new Outbox(session.user_id, { done: () => {}, refused, offline, signedOut: left });
  const bulk = new Bulk({ tab, tiles, outbox, keyMap, settled: (...results) => settled(...results), signedOut: left });
  const actions = { ...bulk.actions, legend: () => legend.open() };
  const legend = new Legend(keyMap, (name) => name in actions);
  /** The photo that is seen large, or was last. */
  let closer = null;

  function changed() {
    const n = tiles.selected.length;
    $("count").textContent = n === 0 ? "none selected" : `${n} selected`;
    for (const button of document.querySelectorAll("#decide [data-act]")) button.disabled = n === 0;
    $("about").replaceChildren(...(tiles.focused === null ? [] : tell(tiles.focused)));
  }

  function refused(_, why) {
    strip(`A decision was not taken: ${why}.`, { kind: "problem" });
  }

  function offline(kept) {
    if (kept > 0) strip(`No connection: ${kept} kept here and sent later.`, { kind: "problem" });
    else strip("Connected again; everything was sent.");
  }

  /** Shows one photo large, after the server has noted who looks. */
  async function opened(item) {
    if (item === null || !item.has_picture) return;
    if (!tiles.revealed.has(item.photo_id)) await bulk.run("reveal", [item]);
    if (!tiles.revealed.has(item.photo_id)) return;
    const image = new Image();
    image.alt = "the photo";
    image.src = pictureUrl(item.photo_id, "display");
    $("closer-picture").replaceChildren(image);
    $("closer").showModal();
    closer = item;
  }

  $("closer").addEventListener("close", () => $("closer-picture").replaceChildren());
  $("closer").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (keyMap.actionOf(event.key.toLowerCase()) !== "hold") return;
    // Else the page takes the same key, once this is closed, for the photo that is next.
    event.stopPropagation();
    bulk.hold([closer]);
  });
  $("closer-hold").addEventListener("click", () => bulk.hold([closer]));
  $("keys").addEventListener("click", () => legend.open());
  // Keys work on, and Space does not press a button again that was used before.
  $("stage").addEventListener("focus", () => tiles.focus());
  $("decide").addEventListener("click", () => $("words-form").hidden && $("confirm").hidden && $("stage").focus());
  for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("close", () => $("stage").focus());
  watch((photoId) => {
    if (closer?.photo_id === photoId) $("closer").close();
    withheld(photoId);
  });
  outbox.pump();
  listen(keyMap, {
    actions,
    digit: (key) => bulk.digit(key),
    cancel: () => (bulk.asked || bulk.rejecting || !$("words-form").hidden ? bulk.cancel() : tiles.clear()),
  });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  return { tiles, bulk, signedOut: left };
}

/** Reads a list in pages; `shown` gets each answer and all photos so far. */
export class Reader {
  constructor({ path, shown, signedOut: left }) {
    Object.assign(this, { path, shown, left });
    this.photos = [];
    this.cursor = null;
    this.turn = 0;
    $("older").addEventListener("click", () => this.read());
  }

  /** Begins anew. */
  restart() {
    this.photos = [];
    this.cursor = null;
    return this.read();
  }

  /** Takes photos out of what was read. */
  drop(gone) {
    this.photos = this.photos.filter((photo) => !gone.has(photo.photo_id));
  }

  async read() {
    const turn = ++this.turn;
    if (this.photos.length === 0) state("Loading");
    $("older").disabled = true;
    try {
      const query = new URLSearchParams(this.path.query());
      if (this.cursor !== null) query.set("cursor", this.cursor);
      const answer = await call("GET", `${this.path.name}?${query}`);
      if (turn !== this.turn) return;
      this.photos.push(...answer.photos);
      this.cursor = answer.next_cursor;
      this.shown(answer, this.photos);
    } catch (error) {
      if (turn !== this.turn) return;
      if (error.status === 401 || error.status === 403) return this.left();
      if (this.photos.length === 0) state("That did not work", `${error.message}. Try again in a moment.`);
      else strip(`No more can be read now: ${error.message}.`, { kind: "problem" });
    }
    $("older").hidden = this.cursor === null;
    $("older").disabled = false;
  }
}

/** Gives a link to the page of a user. */
export function userLink(userId, name = null) {
  const link = element("a", "User ");
  link.append(element("bdi", name || userId));
  link.href = `/admin/user#${encodeURIComponent(userId)}`;
  return link;
}
