// Suspected abuse of a child: what was withheld anywhere goes from this page within seconds.
// For every page that shows photos.
import { call } from "./api.js";
import { forget } from "./pictures.js";

const ASK_MS = 3000;
const channel = new BroadcastChannel("photogate-withheld");
const known = new Set();
let leave = () => {};

/** Takes a photo away here and in all tabs of this browser. Telling the server is the caller's. */
export function takeAway(photoId) {
  channel.postMessage(photoId);
  gone(photoId);
}

export const isWithheld = (photoId) => known.has(photoId);

/**
 * Watches for what others withhold. `onGone` gets each photo once, so that the page shows it no
 * more; `onAsked` gets every answer of the server.
 */
export function watch(onGone, onAsked = () => {}) {
  leave = onGone;
  let timer = null;
  const ask = async () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") {
      try {
        const answer = await call("GET", "/review/withheld");
        answer.photo_ids.forEach(gone);
        onAsked(answer);
      } catch (error) {
        // Nobody is signed in any more: nothing is shown either.
        if (error.status === 401 || error.status === 403) return;
      }
    }
    timer = setTimeout(ask, ASK_MS);
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && ask());
  ask();
}

channel.addEventListener("message", (event) => gone(event.data));

function gone(photoId) {
  if (known.has(photoId)) return;
  known.add(photoId);
  forget(photoId);
  const name = `/moderation/${encodeURIComponent(photoId)}/photo`;
  for (const image of [...document.images]) if (image.src.includes(name)) image.remove();
  leave(photoId);
}
