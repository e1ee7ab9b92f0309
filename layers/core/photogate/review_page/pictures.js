// Pictures, loaded and decoded before they are needed, so that the next one is painted at once.
import { pictureUrl } from "./api.js";

const kept = new Map();
/** Those of the last photos stay, for undo and for messages about them. */
const MOST = 24;

/** Gives the picture of a copy; loads it when that was not begun. */
export function picture(photoId, copy) {
  const key = `${copy}/${photoId}`;
  let found = kept.get(key);
  if (found === undefined) {
    const image = new Image();
    image.alt = copy === "preview" ? "the photo, small, blurred and grey" : "the photo";
    image.decoding = "sync";
    image.draggable = false;
    image.src = pictureUrl(photoId, copy);
    found = { image, ready: image.decode().then(() => true, () => false) };
    found.ready.then((loaded) => loaded || kept.delete(key));
  }
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > 2 * MOST) kept.delete(kept.keys().next().value);
  return found;
}

/** Keeps nothing of a photo any more. */
export function forget(photoId) {
  for (const copy of ["preview", "display"]) kept.delete(`${copy}/${photoId}`);
}

/** Loads both copies of these photos. */
export function prefetch(items) {
  for (const item of items) {
    if (!item.has_picture) continue;
    picture(item.photo_id, "preview");
    picture(item.photo_id, "display");
  }
}

/** Gives a small preview of its own, for a place beside the photo. */
export function small(photoId) {
  const image = picture(photoId, "preview").image.cloneNode();
  image.alt = "";
  return image;
}
