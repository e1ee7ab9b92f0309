// Why a photo is here: the rule in words, each measure as a bar with its bounds, the owner.
import { drawn, measure, number } from "./bars.js";
import { small } from "./pictures.js";
import { reasonWords } from "./reasons.js";
import { element } from "./view.js";
import { isWithheld } from "./withheld.js";

/** In place of the names that programs use. */
const STATES = { review: "waits", pending: "being checked" };
/** Folds that somebody opened stay open from photo to photo. */
const opened = new Set();

/** Gives the parts of the side beside the photo; the owner comes later, into a place kept free. */
export function evidence(item) {
  const decided = item.bars.filter((bar) => bar.decided);
  const others = item.bars.filter((bar) => !bar.decided);
  const parts = [element("h2", item.title)];
  if (item.rule) parts.push(element("p", item.rule, "rule clipped"));
  if (item.folded) {
    const why = "Of some photos, drawn at random, nobody is shown what the machine says before the decision.";
    parts.push(element("p", why, "quiet"));
  }
  if (item.test) parts.push(element("p", "Test photo: a marker in it named its verdict", "test"));
  if (item.note !== null || item.raised_by !== null) {
    const note = element("blockquote", item.note ?? "(no words)", "clipped");
    const by = element("p", null, "by");
    by.append("from ", element("bdi", item.raised_by ?? "somebody"));
    parts.push(note, by);
  }
  parts.push(...decided.map(measure));
  const facts = [item.size, `waits ${age(item.waits_since)}`];
  parts.push(element("p", facts.filter(Boolean).join(" · "), "numbers"));
  const user = element("h2", "User ");
  user.append(element("bdi", item.user_name || item.user_id));
  user.className = "clipped";
  const owner = element("div", null, "owner");
  owner.id = "owner";
  parts.push(user, owner);
  if (others.length > 0) {
    parts.push(fold("Other measures", others.map(measure)));
  }
  if (item.models.length > 0) parts.push(fold("What each model says", item.models.map(model)));
  const bounds =
    // A marker needs no policy.
    item.folded || item.test || item.judged_by === item.bounds_of
      ? `Policy ${item.bounds_of}`
      : `Judged by ${item.judged_by ?? "no policy"}; the bounds are those of ${item.bounds_of}`;
  const policy = element("p", bounds, "quiet clipped");
  const read = element("button", "Read the policy");
  read.type = "button";
  read.dataset.opens = "policy";
  parts.push(policy, read);
  return parts;
}

function fold(title, parts) {
  const block = element("details");
  block.open = opened.has(title);
  block.addEventListener("toggle", () => opened[block.open ? "add" : "delete"](title));
  block.append(element("summary", title), ...parts);
  return block;
}

/** One model's scores, each with the bounds that the policy sets on it. */
function model(said) {
  const block = element("div", null, "model");
  block.append(element("h3", said.model === "first" ? "First model" : said.model));
  for (const score of said.scores) {
    const bar = { ...score, words: score.category, smallest: 0, largest: 1 };
    const line = element("p", `${score.category} `, "numbers");
    line.append(element("b", number(score.value)));
    block.append(line, drawn(bar));
  }
  return block;
}

export function owner(found) {
  const withheld = found.held > 0 ? `, ${found.held} withheld` : "";
  const words = `${found.photos} other ${found.photos === 1 ? "photo" : "photos"}: ${found.approved} approved, ${found.rejected} rejected${withheld}`;
  const list = element("ul", null, "others");
  for (const other of found.others) {
    const entry = element("li");
    if (other.has_picture && !isWithheld(other.photo_id)) entry.append(small(other.photo_id));
    const said = element("span", null, "clipped");
    said.append(reasonWords(other.reason) ?? STATES[other.status] ?? other.status);
    if (other.status === "approved" || other.status === "rejected") {
      said.append(" by ", element("bdi", other.decided_by ?? "machine"));
      if (other.decided_at) entry.title = `${other.status} ${age(other.decided_at)} ago`;
    }
    entry.append(said);
    list.append(entry);
  }
  return [element("p", words, "numbers"), list];
}

/** Says how many wait, and since when; `n` leaves out what is decided here already. */
export function waitingWords({ n, n_is: exactly, oldest_at: oldest }) {
  return n > 0 ? `${n}${exactly === "exact" ? "" : "+"} wait · oldest ${age(oldest)}` : "nothing waits";
}

/** Says how long ago that was, from a minute on. */
export function age(iso) {
  const minutes = Math.max(1, Math.round((Date.now() - Date.parse(iso)) / 60000));
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h`;
  return `${Math.round(minutes / 1440)} days`;
}
