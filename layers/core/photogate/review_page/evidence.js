// Why a photo is here: the rule in words, each measure as a bar with its bounds, the owner.
import { element } from "./view.js";
import { small } from "./pictures.js";

const SVG = "http://www.w3.org/2000/svg";

/** Gives the parts of the side beside the photo; the owner comes later, into a place kept free. */
export function evidence(item) {
  const decided = item.bars.filter((bar) => bar.decided);
  const others = item.bars.filter((bar) => !bar.decided);
  const parts = [element("h2", item.title)];
  if (item.rule) parts.push(element("p", item.rule, "rule clipped"));
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
    const more = element("details");
    more.append(element("summary", "Other measures"), ...others.map(measure));
    parts.push(more);
  }
  const bounds =
    item.judged_by === item.bounds_of
      ? `Policy ${item.bounds_of}`
      : `Judged by ${item.judged_by ?? "no policy"}; the bounds are those of ${item.bounds_of}`;
  parts.push(element("p", bounds, "quiet clipped"));
  return parts;
}

export function owner(found) {
  const words = `${found.photos} photos, ${found.approved} approved, ${found.rejected} rejected`;
  const list = element("ul", null, "others");
  for (const other of found.others) {
    const entry = element("li");
    if (other.has_picture) entry.append(small(other.photo_id));
    const by = other.status === "approved" || other.status === "rejected" ? ` by ${other.by}` : "";
    entry.append(element("span", other.reason ? `${other.reason}${by}` : `${other.status}${by}`, "clipped"));
    list.append(entry);
  }
  return [element("p", words, "numbers"), list];
}

/** Says how long ago that was. */
export function age(iso) {
  const minutes = Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 60000));
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h`;
  return `${Math.round(minutes / 1440)} days`;
}

function measure(bar) {
  const block = element("div", null, bar.decided ? "measure decided" : "measure");
  const value = bar.value === null ? "not measured" : number(bar.value);
  const line = element("p", bar.words);
  line.append(" ", element("b", value, "numbers"));
  const bounds = [
    bar.to_a_person === null ? null : `person ${bar.worse} ${number(bar.to_a_person)}`,
    bar.rejected === null ? null : `rejected ${bar.worse} ${number(bar.rejected)}`,
  ].filter(Boolean);
  block.append(line, drawn(bar, `${bar.words}: ${value}; ${bounds.join(", ")}`));
  block.append(element("p", bounds.join(" · "), "quiet numbers"));
  return block;
}

function drawn(bar, words) {
  const seen = [bar.value, bar.to_a_person, bar.rejected].filter((n) => n !== null);
  const high = bar.largest ?? 1.25 * Math.max(bar.smallest, ...seen);
  const span = high - bar.smallest || 1;
  const at = (n) => (100 * Math.min(1, Math.max(0, (n - bar.smallest) / span))).toFixed(2);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  const rect = (from, to, kind) => {
    const part = document.createElementNS(SVG, "rect");
    part.setAttribute("x", `${from}%`);
    part.setAttribute("width", `${Math.max(0, to - from)}%`);
    part.setAttribute("height", "100%");
    part.setAttribute("class", kind);
    svg.append(part);
  };
  rect(0, 100, "calm");
  for (const [bound, kind] of [[bar.to_a_person, "doubt"], [bar.rejected, "worst"]]) {
    if (bound === null) continue;
    if (bar.worse === "above") rect(at(bound), 100, kind);
    else rect(0, at(bound), kind);
  }
  if (bar.value !== null) {
    const mark = document.createElementNS(SVG, "line");
    for (const [name, value] of Object.entries({ x1: `${at(bar.value)}%`, x2: `${at(bar.value)}%`, y1: "0", y2: "100%" }))
      mark.setAttribute(name, value);
    mark.setAttribute("class", "mark");
    svg.append(mark);
  }
  return svg;
}

function number(n) {
  return Number(n.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 4 });
}
