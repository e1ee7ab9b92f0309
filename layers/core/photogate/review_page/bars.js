// Measures as bars, with the bounds of the policy drawn in.
import { element } from "./view.js";

const SVG = "http://www.w3.org/2000/svg";

/** One measure in words and as a bar. */
export function measure(bar) {
  const block = element("div", null, bar.decided ? "measure decided" : "measure");
  const value = bar.value === null ? "not measured" : number(bar.value);
  const line = element("p", bar.words);
  line.append(" ", element("b", value, "numbers"));
  block.append(line, drawn(bar), element("p", bounds(bar).join(" · "), "quiet numbers"));
  return block;
}

/** A bar from the smallest to the largest value, with both bounds and a mark at the value. */
export function drawn(bar) {
  const value = bar.value === null ? "not measured" : number(bar.value);
  const words = [`${bar.words}: ${value}`, ...bounds(bar)].join("; ");
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

export function number(n) {
  return Number(n.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 4 });
}

function bounds(bar) {
  return [
    bar.to_a_person === null ? null : `person ${bar.worse} ${number(bar.to_a_person)}`,
    bar.rejected === null ? null : `rejected ${bar.worse} ${number(bar.rejected)}`,
  ].filter(Boolean);
}
