// For admins: what is withheld for suspected abuse of a child, without pictures.
import { call } from "./api.js";
import { $, element } from "./view.js";

/** Shows how much is to be reported, and where. */
export function showUnreported(n) {
  if (n === null) return;
  $("holds-open").hidden = false;
  $("holds-open").classList.toggle("urgent", n > 0);
  $("holds-open").textContent = n > 0 ? `Report ${n}` : "Withheld";
}

export async function openHolds() {
  $("holds-says").textContent = "";
  $("holds").showModal();
  await paint();
}

async function paint() {
  try {
    const { holds } = await call("GET", "/holds");
    const none = element("p", "Nothing is withheld.");
    $("hold-list").replaceChildren(...(holds.length > 0 ? holds.map(entry) : [none]));
    showUnreported(holds.filter((hold) => hold.reported_at === null).length);
  } catch (error) {
    $("holds-says").textContent = `The list cannot be shown: ${error.message}.`;
  }
}

function entry(hold) {
  const block = element("section", null, "hold");
  const title = element("h3", "Photo of ");
  title.append(element("bdi", hold.user_name || hold.user_id));
  const facts = element("dl");
  for (const [term, value] of [
    ["user", hold.user_id],
    ["photo", hold.photo_id],
    ["uploaded", when(hold.uploaded_at)],
    ["withheld", `${when(hold.held_at)} by ${hold.held_by}`],
    ["file", hold.original_key ?? "its original was removed before"],
    ["sha256", hold.sha256 ?? "unknown"],
    ["reported", hold.reported_at ? `${when(hold.reported_at)} by ${hold.reported_by}: ${hold.report}` : "not yet"],
  ]) {
    facts.append(element("dt", term), element("dd", value));
  }
  const form = element("form");
  const words = element("input");
  words.maxLength = 500;
  words.required = true;
  words.setAttribute("aria-label", "Where it was reported, and its number; or why it was a mistake");
  words.placeholder = "where and number, or why a mistake";
  const report = element("button", "It is reported");
  const lift = element("button", "It was a mistake");
  report.value = "report";
  lift.value = "lift";
  form.append(words, report, lift);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await call("POST", `/holds/${encodeURIComponent(hold.photo_id)}/${event.submitter.value}`, { words: words.value });
      $("holds-says").textContent = event.submitter.value === "lift" ? "It waits for a person again." : "Noted.";
      await paint();
    } catch (error) {
      $("holds-says").textContent = `That was not taken: ${error.message}.`;
    }
  });
  block.append(title, facts, form);
  return block;
}

const when = (iso) => new Date(iso).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
