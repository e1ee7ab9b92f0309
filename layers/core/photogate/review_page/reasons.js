// Why a photo is rejected: one chip and one digit for each reason, 0 for words.
import { $, element } from "./view.js";

export const REASONS = [
  ["nsfw", "nudity"],
  ["underage", "underage"],
  ["no_face", "no face"],
  ["group_photo", "group"],
  ["blurry", "blurry"],
  ["blank", "blank"],
  ["too_small", "too small"],
  ["unreadable", "unreadable"],
];

/** Gives a reason as people read it: a moderator's own words stay as they are. */
export function reasonWords(reason) {
  if (reason === "too_large") return "too large"; // by the machine alone
  return REASONS.find(([code]) => code === reason)?.[1] ?? reason;
}

/** Makes the chips; `choose` gets a reason, or null for words of the person's own. */
export function makeChips(choose) {
  const entries = [...REASONS, [null, "own words"]];
  entries.forEach(([reason, words], index) => {
    const chip = element("button", `${words} `);
    chip.type = "button";
    if (reason !== null) chip.dataset.reason = reason;
    chip.append(element("kbd", reason === null ? "0" : String(index + 1)));
    chip.addEventListener("click", () => choose(reason));
    $("reasons").append(chip);
  });
}

/** Gives the reason of a digit, null for words; undefined when it has none. */
export function reasonOf(digit) {
  return digit === "0" ? null : REASONS[Number(digit) - 1]?.[0];
}

/** Marks the reason that the rule gives, and shows it where there is no room for all of them. */
export function suggest(reason) {
  const row = $("reasons");
  row.scrollLeft = 0;
  for (const chip of row.children) {
    const suggested = reason !== null && chip.dataset.reason === reason;
    chip.classList.toggle("suggested", suggested);
    if (!suggested) continue;
    const { left, right } = chip.getBoundingClientRect();
    const place = row.getBoundingClientRect();
    // Not by `scrollIntoView`, which would move the page as well.
    if (right > place.right) row.scrollLeft = left - place.left - 8;
  }
}

/** Shows that a reason is asked for, or no longer. */
export function setAsked(on) {
  $("reject").setAttribute("aria-pressed", String(on));
  $("reasons").classList.toggle("asked", on);
}
