// Reviewing: one photo at a time, one key for each decision.
import { call, whoAmI } from "./api.js";
import { age, evidence, owner } from "./evidence.js";
import { Outbox } from "./outbox.js";
import { picture, prefetch, small } from "./pictures.js";
import { $, element, outcome, panel, strip } from "./view.js";

const REASONS = [
  ["nsfw", "nudity"],
  ["underage", "underage"],
  ["no_face", "no face"],
  ["group_photo", "group"],
  ["blurry", "blurry"],
  ["blank", "blank"],
  ["too_small", "too small"],
  ["unreadable", "unreadable"],
];
const UNDO_MS = 10000;
const HELD = 4;
const RENEW_MS = 45000;
const LOOK_AGAIN_MS = 5000;

/** Names this tab to the server; a reloaded or copied tab is another one. */
const tab = crypto.randomUUID();
/** Photos that this tab holds, the current one first. */
let hand = [];
/** Photos that were decided here, and that the server may still count as held. */
const gone = new Set();
const revealed = new Set();
let passed = [];
let hidden = true;
let rejecting = false;
let last = null;
let outbox = null;
let taking = null;
let lookAgain = null;
let signedIn = false;

const current = () => hand[0] ?? null;

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
  if (session.role === "viewer") {
    return panel("Nothing to review with this role", "Reviewing photos needs the role moderator.");
  }
  signedIn = true;
  outbox = new Outbox(session.user_id, {
    done: () => {},
    refused: (entry, why) => {
      gone.delete(entry.photoId);
      strip(`Your decision was not taken: ${why}.`, { kind: "problem", image: small(entry.photoId) });
      take();
    },
    offline: (kept) =>
      kept > 0
        ? strip(`No connection. ${decisions(kept)} kept here and sent later; go on.`, { kind: "problem" })
        : strip("Connected again; everything was sent."),
    signedOut,
  });
  outbox.pump();
  await take();
}

/** Renews what is held and fills it up. One call at a time. */
function take() {
  if (!signedIn) return Promise.resolve();
  taking ??= fill().finally(() => {
    taking = null;
  });
  return taking;
}

async function fill() {
  clearTimeout(lookAgain);
  const unsent = outbox.entries.length;
  const wanted = {
    kind: $("kind").value || null,
    rule: $("rule").value || null,
    user_id: $("user").value.trim() || null,
  };
  let answer;
  try {
    answer = await call("POST", "/review/take", { tab, count: Math.min(60, HELD + unsent), passed, ...wanted });
  } catch (error) {
    if (error.status === 401 || error.status === 403) return signedOut();
    if (current() === null) panel("The server does not answer", `${error.message}. Nothing is lost.`, true);
    lookAgain = setTimeout(take, LOOK_AGAIN_MS);
    return;
  }
  const before = current();
  // What is known stays the same object: others wait for an answer about it.
  const known = new Map(hand.map((item) => [item.photo_id, item]));
  const fresh = answer.items
    .filter((item) => !gone.has(item.photo_id))
    .map((item) => Object.assign(known.get(item.photo_id) ?? {}, item));
  // What is looked at stays first, whatever is more urgent by now.
  const still = fresh.find((item) => item.photo_id === before?.photo_id);
  hand = still ? [still, ...fresh.filter((item) => item !== still)] : fresh;
  prefetch(hand);
  offerRules(hand);
  const n = answer.waiting.n - [...gone].length;
  const more = answer.waiting.n_is === "exact" ? "" : "+";
  $("waiting").textContent = answer.waiting.n
    ? `${Math.max(0, n)}${more} wait · oldest ${age(answer.waiting.oldest_at)}`
    : "nothing waits";
  for (const photoId of gone) if (!answer.items.some((item) => item.photo_id === photoId)) gone.delete(photoId);
  if (before && !still && !gone.has(before.photo_id)) {
    if (hand.length > 0 || before !== null) strip("The photo before went to somebody else meanwhile.");
  }
  if (!still || before === null) show();
  else upcoming();
  lookAgain = setTimeout(take, current() ? RENEW_MS : LOOK_AGAIN_MS);
}

/** Shows the current photo, hidden, or the state that there is none. */
function show() {
  const item = current();
  hidden = true;
  setRejecting(false);
  closeWords();
  upcoming();
  for (const id of ["approve", "reject", "escalate", "skip", "reveal"]) $(id).disabled = item === null;
  if (item === null) {
    $("evidence").replaceChildren();
    const filtered = $("kind").value || $("rule").value || $("user").value;
    if (taking === null || !signedIn) panel("Loading", "The next photos are on their way.");
    else if (passed.length > 0) panel("Nothing else waits", `You skipped ${passed.length}.`, true);
    else if (filtered) panel("Nothing waits here", "Choose another filter to see the rest.");
    else panel("Nothing waits", "New photos appear here by themselves.");
    return;
  }
  $("evidence").replaceChildren(...evidence(item));
  for (const chip of $("reasons").children) {
    chip.classList.toggle("suggested", chip.dataset.reason === item.suggested_reason);
  }
  paint();
  showOwner(item);
}

async function paint() {
  const item = current();
  $("reveal").disabled = !item.has_picture;
  if (!item.has_picture) {
    const why = "No decoder could open it, or its copies are not made yet. Reject it, or skip it.";
    return panel("There is no picture of this photo", why);
  }
  const { image, ready } = picture(item.photo_id, hidden ? "preview" : "display");
  panel(null);
  $("stage").classList.toggle("hidden", hidden);
  $("picture").replaceChildren(image);
  $("reveal").firstChild.textContent = hidden ? "Reveal " : "Hide ";
  if (!(await ready) && current() === item) {
    panel("The picture cannot be loaded", "Skip it, or try again.", true);
  }
}

async function showOwner(item) {
  try {
    const found = await call("GET", `/review/${encodeURIComponent(item.photo_id)}/owner`);
    if (current() === item) $("owner").replaceChildren(...owner(found));
  } catch {
    // It is an extra; the photo can be decided without.
  }
}

function upcoming() {
  const entries = hand.slice(1, 7).map((item) => {
    const entry = element("li");
    if (item.has_picture) entry.append(small(item.photo_id));
    entry.append(element("span", item.title, "far"));
    return entry;
  });
  $("upcoming").replaceChildren(...entries);
}

/** Notes a decision, sends it, and goes on to the next photo at once. */
function decide(action, body, word) {
  const item = current();
  if (item === null) return;
  gone.add(item.photo_id);
  const id = outbox.add({ photoId: item.photo_id, action, body, tab });
  last = { id, item, until: Date.now() + UNDO_MS, undoable: action !== "escalate" };
  $("undo").disabled = !last.undoable;
  setTimeout(() => {
    if (last?.id === id) $("undo").disabled = true;
  }, UNDO_MS);
  outcome(word, action);
  strip(`${word}.`);
  hand = hand.slice(1);
  show();
  if (hand.length < HELD - 1) take();
}

function approve() {
  const item = current();
  if (item === null) return;
  if (!revealed.has(item.photo_id)) {
    const words = item.has_picture ? "Reveal the photo before you approve it: Space." : "Nobody can approve what nobody can see.";
    return strip(words, { kind: "problem" });
  }
  decide("approve", {}, "Approved");
}

/** The first R asks for the reason, the second one takes the suggested one. */
function reject() {
  if (current() === null) return;
  if (!rejecting) return setRejecting(true);
  const suggested = current().suggested_reason;
  if (suggested) rejectFor(suggested);
  else strip("Which reason? Press its digit.", { kind: "problem" });
}

function rejectFor(reason) {
  if (current() !== null) decide("reject", { reason }, "Rejected");
}

function setRejecting(on) {
  rejecting = on;
  $("reject").setAttribute("aria-pressed", String(on));
  $("reasons").classList.toggle("asked", on);
  if (on) strip("Why? A digit chooses; R takes the marked reason; Esc cancels.");
}

function skip() {
  const item = current();
  if (item === null) return;
  passed = [...passed, item.id].slice(-500);
  hand = hand.slice(1);
  outcome("Skipped", "skip");
  strip("Skipped: somebody else may get it.");
  show();
  take();
}

async function reveal() {
  const item = current();
  if (item === null || !item.has_picture) return;
  if (!hidden) {
    hidden = true;
    return paint();
  }
  if (!revealed.has(item.photo_id)) {
    // The picture is here already; it is shown once the server has noted who looks.
    try {
      await call("POST", `/review/${encodeURIComponent(item.photo_id)}/reveal`);
    } catch (error) {
      if (error.status === 401) return signedOut();
      return strip(`It cannot be revealed now: ${error.message}.`, { kind: "problem" });
    }
    revealed.add(item.photo_id);
  }
  if (current() !== item) return;
  hidden = false;
  paint();
}

async function undo() {
  const taken = last;
  if (taken === null || !taken.undoable || Date.now() > taken.until) {
    return strip("Nothing to undo: ten seconds are over.", { kind: "problem" });
  }
  last = null;
  $("undo").disabled = true;
  try {
    await outbox.undo(taken.id, taken.item.photo_id, tab);
  } catch (error) {
    return strip(`It cannot be undone: ${error.message}.`, { kind: "problem", image: small(taken.item.photo_id) });
  }
  gone.delete(taken.item.photo_id);
  hand = [taken.item, ...hand.filter((item) => item.photo_id !== taken.item.photo_id)];
  strip("Undone. Decide it anew.");
  show();
  take();
}

/** Asks for words in the strip's place; `send` gets them, perhaps empty. */
function askForWords(label, send) {
  if (current() === null) return;
  $("words-label").textContent = label;
  $("words").value = "";
  $("strip").hidden = true;
  $("words-form").hidden = false;
  $("words-form").onsubmit = (event) => {
    event.preventDefault();
    const words = $("words").value.trim();
    if (send(words) !== false) closeWords();
  };
  $("words").focus();
}

function closeWords() {
  if ($("words-form").hidden) return;
  $("words-form").hidden = true;
  $("strip").hidden = false;
  $("stage").focus();
}

const escalate = () =>
  askForWords("Note for the admins (may stay empty)", (note) => decide("escalate", { note: note || null }, "Escalated"));
const ownWords = () =>
  askForWords("Words for the owner", (reason) => (reason === "" ? false : rejectFor(reason)));

function signedOut() {
  signedIn = false;
  clearTimeout(lookAgain);
  hand = [];
  const kept = outbox?.entries.length ?? 0;
  const words = kept > 0 ? ` ${decisions(kept)} kept in this browser and sent once you are signed in again.` : "";
  show();
  panel("You are not signed in", `Open a new sign-in link in this browser.${words}`, outbox !== null);
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

async function refilter() {
  passed = [];
  await taking;
  hand = [];
  panel("Loading", "The next photos are on their way.");
  try {
    await call("POST", "/review/release", { tab });
  } catch {
    // Then the leases end by themselves.
  }
  take();
}

const KEYS = { a: approve, r: reject, s: skip, e: escalate, u: undo, z: undo, " ": reveal, "?": () => $("legend").showModal() };

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || $("legend").open) return;
  if (event.key === "Escape") {
    closeWords();
    setRejecting(false);
    return;
  }
  const writes = event.target.closest("input, select, textarea");
  const presses = event.target.closest("button, summary") && (event.key === " " || event.key === "Enter");
  if (writes || presses) return;
  const key = event.key.toLowerCase();
  if (rejecting && /^[0-9]$/.test(key)) {
    event.preventDefault();
    if (key === "0") return ownWords();
    const reason = REASONS[Number(key) - 1];
    if (reason) rejectFor(reason[0]);
    return;
  }
  if (KEYS[key] === undefined) return;
  event.preventDefault();
  KEYS[key]();
}

function press(id, action) {
  $(id).addEventListener("click", () => {
    action();
    // The keys work on, and Space does not press the button again.
    if ($("words-form").hidden && !$("legend").open) $("stage").focus();
  });
}

REASONS.forEach(([reason, words], index) => {
  const chip = element("button", `${words} `);
  chip.type = "button";
  chip.dataset.reason = reason;
  chip.append(element("kbd", String(index + 1)));
  chip.addEventListener("click", () => rejectFor(reason));
  $("reasons").append(chip);
});
const own = element("button", "own words ");
own.type = "button";
own.append(element("kbd", "0"));
own.addEventListener("click", ownWords);
$("reasons").append(own);

for (const [id, action] of Object.entries({ approve, reject, escalate, skip, reveal, undo })) press(id, action);
press("keys", () => $("legend").showModal());
press("again", () => {
  passed = [];
  if (signedIn) take().then(show);
  else location.reload();
});
press("sign-out", async () => {
  try {
    await call("POST", "/review/release", { tab });
    await call("DELETE", "/session");
  } catch (error) {
    if (error.status !== 401) return strip(`You are still signed in: ${error.message}.`, { kind: "problem" });
  }
  location.replace("/admin/sign-in");
});
$("words-cancel").addEventListener("click", closeWords);
$("filters").addEventListener("change", refilter);
$("filters").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && take());
addEventListener("pagehide", () => {
  // Others get at once what this tab held.
  if (signedIn) call("POST", "/review/release", { tab }, { keepalive: true }).catch(() => {});
});
addEventListener("pageshow", (event) => event.persisted && location.reload());

start();
