// The queue, many photos at a time: the same leases as for one photo after the other.
import { age, waitingWords } from "./evidence.js";
import { Hand } from "./hand.js";
import { listPage, state, userLink } from "./list.js";
import { $, element, ready, strip } from "./view.js";

const HELD = 24;

const tab = crypto.randomUUID();
const page = await listPage({
  tab,
  describe: (item) => [
    [item.title, "title"],
    [item.user_name || item.user_id, "quiet name"],
  ],
  tell: (item) => [
    element("span", item.rule ?? item.title, "rule clipped"),
    userLink(item.user_id, item.user_name),
    element("span", `waits ${age(item.waits_since)}`, "quiet"),
  ],
  settled,
  withheld: (photoId) => {
    hand.ban(photoId);
    page.tiles.drop([photoId]);
  },
});

const hand =
  page &&
  new Hand(tab, {
    held: HELD,
    // Previews come with their tiles, the rest when it is looked at.
    load: () => {},
    unsent: () => 0,
    wanted: () => ({
      kind: $("kind").value || null,
      rule: $("rule").value || null,
      user_id: $("user").value.trim() || null,
    }),
    tell: {
      filled,
      lost: () => {},
      silent: (error) => {
        if (page.tiles.items.length === 0) state("The server does not answer", `${error.message}. Nothing is lost.`);
        else strip(`The server does not answer: ${error.message}.`, { kind: "problem" });
      },
      signedOut: () => page.signedOut(),
    },
  });

function filled(answer) {
  offerRules(answer.items);
  $("waiting").textContent = waitingWords(answer.waiting);
  page.tiles.set(hand.items);
  const filtered = $("kind").value || $("rule").value || $("user").value;
  if (hand.items.length > 0) state(null);
  else if (filtered) state("Nothing waits here", "Choose another filter to see the rest.");
  else if (answer.waiting.n > 0) state("Others hold what waits", "It appears here when they let it go.");
  else state("Nothing waits", "New photos appear here by themselves.");
}

function settled(action, items) {
  if (action === "reveal") return;
  for (const item of items) {
    if (action === "undo") hand.putBack(item);
    else hand.decided(item);
  }
  page.tiles.set(hand.items);
  hand.take();
}

function offerRules(items) {
  const known = new Set([...$("rule").options].map((option) => option.value));
  for (const bar of items.flatMap((item) => item.bars)) {
    if (known.has(bar.name)) continue;
    known.add(bar.name);
    $("rule").add(new Option(bar.words, bar.name));
  }
}

if (hand) {
  $("filters").addEventListener("change", () => {
    state("Loading");
    hand.restart();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && hand.take());
  addEventListener("pagehide", () => {
    // Others get at once what this tab held.
    if (hand.open) hand.release({ keepalive: true }).catch(() => {});
  });
  hand.begin();
}
ready();
