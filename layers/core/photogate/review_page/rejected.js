// What was rejected: confirm it, restore it, delete it for good.
import { age } from "./evidence.js";
import { Reader, listPage, state, userLink } from "./list.js";
import { REASONS, reasonWords } from "./reasons.js";
import { $, element, ready } from "./view.js";

const page = await listPage({
  tab: crypto.randomUUID(),
  describe: (photo) => [
    [reasonWords(photo.reason) ?? "no reason", "title"],
    [`by ${photo.decided_by ?? "machine"}`, "quiet name"],
    ...(photo.verified_by ? [[`confirmed by ${photo.verified_by}`, "verified name"]] : []),
  ],
  tell: (photo) => [
    element("span", photo.rule ?? reasonWords(photo.reason) ?? "no reason", "rule clipped"),
    userLink(photo.user_id, photo.user_name),
    element("span", `uploaded ${age(photo.uploaded_at)} ago`, "quiet"),
  ],
  settled,
  withheld: (photoId) => drop(new Set([photoId])),
});

const reader =
  page &&
  new Reader({
    path: {
      name: "/rejected",
      query: () => ({
        limit: 40,
        ...($("verified").value && { verified: $("verified").value }),
        ...($("reason").value && { reason: $("reason").value }),
      }),
    },
    shown: (_, photos) => {
      page.tiles.set(photos);
      if (photos.length > 0) state(null);
      else state("Nothing here", "No rejected photo is like that.");
    },
    signedOut: () => page.signedOut(),
  });

function settled(action, photos) {
  if (action === "reveal") return;
  if (action === "undo") return reader.restart();
  const gone = new Set(photos.map((photo) => photo.photo_id));
  if (action === "verify" && $("verified").value !== "false") {
    for (const photo of photos) photo.verified_by ??= $("who").textContent;
    return;
  }
  drop(gone);
}

function drop(gone) {
  reader.drop(gone);
  page.tiles.drop(gone);
  if (reader.photos.length > 0) return;
  if (reader.cursor === null) state("Nothing here", "No rejected photo is like that.");
  else reader.read();
}

for (const [code, words] of REASONS) $("reason").add(new Option(words, code));
$("reason").add(new Option("own words", "other"));
if (reader) {
  $("filters").addEventListener("change", () => reader.restart());
  reader.restart();
}
ready();
