// Reviewing: one photo at a time, one key for each decision. Puts the parts together.
import { call, whoAmI } from "./api.js";
import { Comfort } from "./comfort.js";
import { Deciding } from "./deciding.js";
import { evidence, owner, waitingWords } from "./evidence.js";
import { Hand } from "./hand.js";
import { openHolds, showUnreported } from "./holds.js";
import { KeyMap, listen } from "./keys.js";
import { Lately } from "./lately.js";
import { Legend } from "./legend.js";
import { Outbox } from "./outbox.js";
import { small } from "./pictures.js";
import { showFor, signInHere } from "./pages.js";
import { openPolicy } from "./policy.js";
import { makeChips, suggest } from "./reasons.js";
import { forgetRecent, Recent } from "./recent.js";
import { Stage } from "./stage.js";
import { $, element, panel, ready, strip } from "./view.js";
import { isWithheld, watch } from "./withheld.js";
import { closeWords } from "./words.js";

/** Names this tab to the server; a reloaded or copied tab is another one. */
const tab = crypto.randomUUID();
const hand = new Hand(tab, {
  wanted: () => ({
    kind: $("kind").value || null,
    rule: $("rule").value || null,
    user_id: $("user").value.trim() || null,
  }),
  unsent: () => outbox.entries.length,
  tell: {
    filled,
    lost: () => strip("The photo before went to somebody else meanwhile."),
    silent: (error) => {
      if (hand.current === null) panel("The server does not answer", `${error.message}. Nothing is lost.`, true);
    },
    signedOut,
  },
});
const keyMap = new KeyMap("review");
const legend = new Legend(keyMap);
const stage = new Stage({ signedOut, revealed: (seen) => comfort.counted(seen) });
const comfort = new Comfort(() => stage.item && stage.paint());
stage.lens = () => comfort.lens;
const lately = new Lately(() => hand.open && hand.known && stage.item === null && showNothing());
let outbox = null;
let recent = null;
let deciding = null;

async function start() {
  panel("Loading", "The next photos are on their way.");
  let session;
  try {
    session = await whoAmI();
  } catch (error) {
    if (error.status === 401 || error.status === 403) return signedOut();
    return panel("The server does not answer", "Nothing is lost. Try again in a moment.", true);
  }
  $("who").textContent = session.name || session.user_id;
  showFor(session.role);
  if (session.role === "viewer") {
    return panel("Nothing to review with this role", "Reviewing photos needs the role moderator.");
  }
  outbox = new Outbox(session.user_id, { done: () => {}, refused, offline, signedOut });
  recent = new Recent(session.user_id);
  deciding = new Deciding({ tab, hand, stage, outbox, recent, keyMap, next: show });
  wire();
  watch(takenAway, (answer) => showUnreported(answer.unreported));
  outbox.pump();
  await hand.begin();
}

function refused(entry, why) {
  hand.gone.delete(entry.photoId);
  const image = isWithheld(entry.photoId) ? null : small(entry.photoId);
  strip(`Your decision was not taken: ${why}.`, { kind: "problem", image });
  hand.take();
}

function offline(kept) {
  if (kept > 0) strip(`No connection. ${decisions(kept)} kept here and sent later; go on.`, { kind: "problem" });
  else strip("Connected again; everything was sent.");
}

/** Somebody withheld a photo: nothing of it stays here. */
function takenAway(photoId) {
  const shown = stage.item?.photo_id === photoId;
  recent.forget(photoId);
  hand.ban(photoId);
  if (shown) show();
  else upcoming();
}

function filled(answer, sameCurrent) {
  offerRules(answer.items);
  comfort.counted(answer.seen);
  $("waiting").textContent = waitingWords(answer.waiting);
  if (sameCurrent || recent.entry !== null) upcoming();
  else show();
}

/** Shows the current photo, hidden, or the state that there is none. */
function show() {
  const item = recent?.entry?.item ?? hand.current;
  deciding?.setRejecting(false);
  closeWords();
  upcoming();
  for (const id of ["approve", "reject", "escalate", "skip", "reveal", "hold"]) $(id).disabled = item === null;
  stage.show(item);
  if (item === null) return showNothing();
  $("evidence").replaceChildren(...evidence(item));
  // The reason first, however far somebody scrolled before.
  $("evidence").scrollTop = $("evidence").parentElement.scrollTop = 0;
  suggest(item.suggested_reason);
  showOwner(item);
}

function showNothing() {
  $("evidence").replaceChildren();
  const filtered = $("kind").value || $("rule").value || $("user").value;
  if (!hand.known) panel("Loading", "The next photos are on their way.");
  else if (hand.passed.length > 0) panel("Nothing else waits", `You skipped ${hand.passed.length}.`, true);
  else if (filtered) panel("Nothing waits here", "Choose another filter to see the rest.");
  else panel("Nothing waits", ["New photos appear here by themselves.", ...lately.lines()].join("\n"));
}

async function showOwner(item) {
  try {
    const found = await call("GET", `/review/${encodeURIComponent(item.photo_id)}/owner`);
    if (stage.item === item) $("owner").replaceChildren(...owner(found));
  } catch {
    // It is an extra; the photo can be decided without.
  }
}

function upcoming() {
  const entries = hand.items.slice(recent?.entry ? 0 : 1, 7).map((item) => {
    const entry = element("li");
    if (item.has_picture) entry.append(small(item.photo_id));
    entry.append(element("span", item.title, "far"));
    return entry;
  });
  $("upcoming").replaceChildren(...entries);
}

function signedOut() {
  hand.end();
  recent?.leave();
  const kept = outbox?.entries.length ?? 0;
  const words = kept > 0 ? ` ${decisions(kept)} kept in this browser and sent once you are signed in again.` : "";
  show();
  panel("You are not signed in", "Open a new sign-in link in this browser, or ", outbox !== null);
  $("state-words").append(signInHere(), `.${words}`);
}

const decisions = (n) => (n === 1 ? "1 decision is" : `${n} decisions are`);

/** Offers the rules that were met so far as filters. */
function offerRules(items) {
  const known = new Set([...$("rule").options].map((option) => option.value));
  for (const bar of items.flatMap((item) => item.bars)) {
    if (known.has(bar.name)) continue;
    known.add(bar.name);
    $("rule").add(new Option(bar.words, bar.name));
  }
}

function press(id, action) {
  $(id).addEventListener("click", () => {
    action();
    // The keys work on, and Space does not press the button again.
    if ($("words-form").hidden && !document.querySelector("dialog[open]")) $("stage").focus();
  });
}

/** Lets keys and buttons decide, once somebody is signed in who may. */
function wire() {
  const actions = {
    approve: () => deciding.approve(),
    reject: () => deciding.reject(),
    escalate: () => deciding.escalate(),
    skip: () => deciding.skip(),
    reveal: () => stage.toggle(),
    undo: () => deciding.undo(),
    back: () => deciding.back(),
    boxes: () => stage.toggleBoxes(),
    full: () => stage.toggleFull(),
    hold: () => deciding.hold(),
  };
  for (const [id, action] of Object.entries(actions)) press(id, action);
  makeChips((reason) => deciding.rejectFor(reason));
  listen(keyMap, {
    actions: { ...actions, forward: () => deciding.forward(), legend: () => legend.open() },
    digit: (key) => deciding.digit(key),
    cancel: () => {
      closeWords();
      deciding.setRejecting(false);
    },
  });
}

async function signOut() {
  try {
    await hand.release();
    await call("DELETE", "/session");
  } catch (error) {
    if (error.status !== 401) return strip(`You are still signed in: ${error.message}.`, { kind: "problem" });
  }
  forgetRecent();
  location.replace("/admin/sign-in");
}

press("keys", () => legend.open());
press("comfort-open", () => $("comfort").showModal());
press("holds-open", openHolds);
$("evidence").addEventListener("click", (event) => event.target.closest("[data-opens=policy]") && openPolicy());
press("again", () => {
  hand.passed = [];
  if (hand.open) hand.take().then(show);
  else location.reload();
});
press("sign-out", signOut);
$("filters").addEventListener("change", () => {
  panel("Loading", "The next photos are on their way.");
  hand.restart();
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
// Not back to the button that opened it, which Space would press again.
for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("close", () => $("stage").focus());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && hand.take());
addEventListener("pagehide", () => {
  // Others get at once what this tab held.
  if (hand.open) hand.release({ keepalive: true }).catch(() => {});
});
addEventListener("pageshow", (event) => event.persisted && location.reload());

start();
ready();
