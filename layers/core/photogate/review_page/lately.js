// What the machine did lately: shown to whoever has nothing to decide.
import { call } from "./api.js";
import { age } from "./evidence.js";

const KNOWN_FOR_MS = 60000;

/** Asks once a minute at most; `changed` is called when there is something new to say. */
export class Lately {
  constructor(changed) {
    this.changed = changed;
    this.found = null;
    this.until = 0;
  }

  /** Gives the lines to show now, none as long as nothing is known. */
  lines() {
    if (Date.now() >= this.until) this.ask();
    return this.found === null ? [] : lines(this.found);
  }

  async ask() {
    this.until = Date.now() + KNOWN_FOR_MS;
    try {
      this.found = await call("GET", "/review/lately");
    } catch {
      return; // It is an extra.
    }
    this.changed();
  }
}

function lines({ newest_photo_at: newest, judged, judged_is: exactly, approved, rejected, to_people: left }) {
  if (newest === null) return ["No photo came so far."];
  const last = `Last photo ${age(newest)} ago.`;
  if (judged === 0) return [last, "The machine checked none in the last hour."];
  const all = `${judged.toLocaleString("en")}${exactly === "exact" ? "" : " or more"}`;
  const became = `${approved} approved, ${rejected} rejected, ${left} left to people`;
  return [last, `In the last hour the machine checked ${all}: ${became}.`];
}
