// What was done to photos, by whom and why; in pages, and as CSV for admins.
import { call, send } from "./api.js";
import { enter, signedOut } from "./pages.js";
import { reasonWords } from "./reasons.js";
import { $, element, ready, strip } from "./view.js";

const FIELDS = ["by", "person", "action", "after", "reason", "user_id", "photo_id", "since", "until"];
/** Parts of 5,000 rows that are put into one file. */
const MOST_PARTS = 40;
const DAY_MS = 24 * 3600 * 1000;

let cursor = null;
let turn = 0;

function state(title, words = "") {
  $("panel").hidden = title === null;
  $("table").hidden = title !== null;
  $("state").textContent = title ?? "";
  $("state-words").textContent = words;
}

/** Gives the filters as the API takes them: days are whole days here. */
function query() {
  const wanted = new URLSearchParams();
  for (const name of FIELDS) {
    const value = $(name).value.trim();
    if (value === "") continue;
    const day = { since: 0, until: DAY_MS }[name];
    wanted.set(name, day === undefined ? value : new Date(Date.parse(`${value}T00:00`) + day).toISOString());
  }
  return wanted;
}

async function read(more) {
  const mine = ++turn;
  if (!more) {
    cursor = null;
    $("entries").replaceChildren();
    state("Loading");
  }
  $("older").disabled = true;
  const wanted = query();
  if (cursor !== null) wanted.set("cursor", cursor);
  try {
    const answer = await call("GET", `/history?${wanted}`);
    if (mine !== turn) return;
    cursor = answer.next_cursor;
    $("entries").append(...answer.entries.map(row));
    if ($("entries").children.length > 0) state(null);
    else state("Nothing was done", "No entry is like that.");
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401) return signedOut(state);
    if (more) strip(`No more can be read now: ${error.message}.`, { kind: "problem" });
    else state("That did not work", `${error.message}.`);
  }
  $("older").hidden = cursor === null;
  $("older").disabled = false;
}

function row(entry) {
  const line = element("tr");
  const when = element("time", new Date(entry.at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }));
  when.dateTime = entry.at;
  const user = entry.user_id === null ? element("span", "erased", "quiet") : userLink(entry.user_id);
  const photo = element("a", entry.photo_id.slice(0, 8));
  photo.href = `#${new URLSearchParams({ photo_id: entry.photo_id })}`;
  photo.title = "All that was done to this photo";
  const who = element("bdi", entry.person ?? (entry.role === null ? entry.by : "erased"));
  const became = element("span", entry.after ?? "gone", `is-${entry.after ?? "gone"}`);
  const states = element("span", `${entry.before} → `);
  states.append(became);
  const why = element("div", reasonWords(entry.reason), "clipped");
  if (entry.test) states.append(element("span", " test", "test"));
  const rule = element("div", entry.failed ? "checking could not finish" : entry.rule, "quiet clipped");
  for (const parts of [[when], [who], [done(entry.action)], [states], [why, rule], [user], [photo]]) {
    const cell = element("td");
    cell.append(...parts);
    line.append(cell);
  }
  return line;
}

/** Gives what was done in the words of the filter. */
const done = (action) => [...$("action").options].find((option) => option.value === action)?.text ?? action;

function userLink(userId) {
  const link = element("a");
  link.append(element("bdi", userId));
  link.href = `/admin/user#${encodeURIComponent(userId)}`;
  link.className = "clipped";
  return link;
}

/** Gathers the parts of the export into one file. */
async function exported() {
  $("export").disabled = true;
  const parts = [];
  const wanted = query();
  try {
    for (let n = 1; n <= MOST_PARTS; n += 1) {
      strip(`Part ${n} …`);
      const answer = await send("GET", `/history.csv?${wanted}`);
      parts.push(await answer.text());
      const next = answer.headers.get("X-Next-Cursor");
      wanted.set("cursor", next ?? "");
      if (next === null) break;
    }
    const file = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
    const link = element("a");
    link.href = file;
    link.download = "history.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(file), 60000);
    const all = wanted.get("cursor") === "" || !wanted.has("cursor");
    strip(all ? "Saved as history.csv." : "Saved the newest 200,000 rows; narrow the filters for older ones.");
  } catch (error) {
    strip(`The export did not work: ${error.message}.`, { kind: "problem" });
  }
  $("export").disabled = false;
}

/** Takes the filters from the address, so that pages can link to a part of the history. */
function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const name of FIELDS) $(name).value = wanted.get(name) ?? "";
  read(false);
}

function toAddress() {
  const wanted = new URLSearchParams();
  for (const name of FIELDS) if ($(name).value.trim() !== "") wanted.set(name, $(name).value.trim());
  const before = location.hash;
  location.hash = wanted;
  // No event comes when nothing changes.
  if (location.hash === before) read(false);
}

if ((await enter("viewer", state)) !== null) {
  $("filters").addEventListener("change", toAddress);
  $("older").addEventListener("click", () => read(true));
  $("export").addEventListener("click", exported);
  $("everything").addEventListener("click", () => {
    for (const name of FIELDS) $(name).value = "";
    toAddress();
  });
  addEventListener("hashchange", fromAddress);
  fromAddress();
}
ready();
