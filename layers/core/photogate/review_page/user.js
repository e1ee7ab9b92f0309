// All photos of one user, what people decided about them, and acts on several at once.
import { call } from "./api.js";
import { age } from "./evidence.js";
import { Reader, listPage, state } from "./list.js";
import { reasonWords } from "./reasons.js";
import { $, element, ready } from "./view.js";

const DECISIONS = 12;
/** What people do but decide, which the state behind it says. */
const ACTIONS = { verify: "confirmed", undo: "undone", delete: "deleted", hold: "withheld", lift: "let go" };

const page = await listPage({
  tab: crypto.randomUUID(),
  describe: (photo) => [
    [photo.status === "review" ? "waits for a person" : photo.status, `title is-${photo.status}`],
    [reasonWords(photo.reason) ?? `${age(photo.uploaded_at)} ago`, "quiet name"],
  ],
  tell: (photo) => [
    element("span", photo.rule ?? `uploaded ${age(photo.uploaded_at)} ago`, "rule clipped"),
    element("span", photo.decided_by ? `decided by ${photo.decided_by}` : "decided by the machine", "quiet name"),
  ],
  settled,
  withheld: (photoId) => drop(new Set([photoId])),
});

const userId = () => decodeURIComponent(location.hash.slice(1));

const reader =
  page &&
  new Reader({
    path: { name: "/user", query: () => ({ user_id: userId(), limit: 40 }) },
    shown: (answer, photos) => {
      const name = photos.find((photo) => photo.user_name)?.user_name;
      $("name").textContent = name ? `${name} (${answer.user_id})` : answer.user_id;
      $("summary").textContent =
        `${answer.total} photos: ${answer.approved} approved, ${answer.rejected} rejected, ${answer.waiting} waiting`;
      page.tiles.set(photos);
      if (photos.length > 0) state(null);
      else state("No photos", "Nobody with this id has photos here.");
    },
    signedOut: () => page.signedOut(),
  });

function settled(action, photos) {
  if (action === "reveal") return;
  if (action === "delete") {
    drop(new Set(photos.map((photo) => photo.photo_id)));
  } else if (action !== "undo") {
    for (const photo of photos) photo.decided_by = $("who").textContent;
  }
  counts();
  decisions();
}

function drop(gone) {
  reader.drop(gone);
  page.tiles.drop(gone);
}

async function counts() {
  try {
    const query = new URLSearchParams({ user_id: userId(), limit: 1 });
    const answer = await call("GET", `/user?${query}`);
    $("summary").textContent =
      `${answer.total} photos: ${answer.approved} approved, ${answer.rejected} rejected, ${answer.waiting} waiting`;
  } catch {
    // The numbers of before have to do.
  }
}

/** Lists what people did to this user's photos, newest first. */
async function decisions() {
  const whose = userId();
  let entries = [];
  try {
    const query = new URLSearchParams({ user_id: whose, by: "person", limit: DECISIONS });
    entries = (await call("GET", `/history?${query}`)).entries;
  } catch {
    // They are an extra; the photos are there without.
  }
  if (whose !== userId()) return;
  const lines = entries.map((entry) => {
    const line = element("li");
    const did = [ACTIONS[entry.action], entry.after ?? "gone"].filter(Boolean);
    line.append(element("bdi", entry.person ?? "somebody"), ` · ${did.join(" · ")}`);
    if (entry.reason) line.append(" · ", element("bdi", reasonWords(entry.reason)));
    line.append(element("span", ` · ${age(entry.at)} ago`, "quiet"));
    return line;
  });
  $("decisions").replaceChildren(...(lines.length > 0 ? lines : [element("li", "none yet", "quiet")]));
  $("all-decisions").href = `/admin/history#${new URLSearchParams({ user_id: whose })}`;
}

function show() {
  const wanted = userId();
  $("user").value = wanted;
  $("decisions").replaceChildren();
  $("name").textContent = "";
  $("summary").textContent = "";
  $("of-user").hidden = wanted === "";
  $("older").hidden = true;
  page.tiles.set([]);
  if (wanted === "") return state("Whose photos?", "Write the user's id above.");
  reader.restart();
  decisions();
}

if (page) {
  $("filters").addEventListener("submit", () => {
    location.hash = encodeURIComponent($("user").value.trim());
  });
  addEventListener("hashchange", show);
  show();
}
ready();
