// A page with a list of photos: puts tiles, acts, keys and states together.
import { call, pictureUrl } from "./api.js";
import { Bulk } from "./bulk.js";
import { listen } from "./keys.js";
import { enter, signedOut } from "./pages.js";
import { Tiles } from "./tiles.js";
import { $, element, strip } from "./view.js";

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
 * `settled` is called after each act.
 */
export async function listPage({ tab, describe, tell, settled }) {
  if ((await enter("moderator", state)) === null) return null;
  const left = () => signedOut(state);
  const tiles = new Tiles($("tiles"), { describe, changed, opened });
  const bulk = new Bulk({ tab, tiles, settled: (...results) => settled(...results), signedOut: left });

  function changed() {
    const n = tiles.selected.length;
    $("count").textContent = n === 0 ? "none selected" : `${n} selected`;
    for (const button of document.querySelectorAll("#decide [data-act]")) button.disabled = n === 0;
    $("about").replaceChildren(...(tiles.focused === null ? [] : tell(tiles.focused)));
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
  }

  $("closer").addEventListener("close", () => $("closer-picture").replaceChildren());
  $("keys").addEventListener("click", () => $("legend").showModal());
  // Here keys are as they stand on the buttons; keys of one's own are the review page's.
  listen({ actionOf: (key) => key }, {
    actions: { ...bulk.keys, "?": () => $("legend").showModal() },
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
