// Decisions on their way: kept in the browser until the server has them, and sent in order.
import { call } from "./api.js";

const KEY = "photogate-outbox";
const LOCK = "photogate-outbox";
const PAUSES_MS = [500, 1000, 2000, 5000, 10000];

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}

function write(entries) {
  localStorage.setItem(KEY, JSON.stringify(entries));
}

/** Sends what one person decided; `tell` has done, refused, offline and signedOut. */
export class Outbox {
  constructor(userId, tell) {
    this.userId = userId;
    this.tell = tell;
    this.running = false;
    this.failures = 0;
    this.wake = () => {};
    addEventListener("online", () => this.wake());
  }

  /** Those of this person that the server does not have yet. */
  get entries() {
    return read().filter((entry) => entry.user === this.userId);
  }

  /** Keeps a decision and begins to send it. */
  add(entry) {
    const kept = { ...entry, id: crypto.randomUUID(), user: this.userId };
    write([...read(), kept]);
    this.pump();
    return kept.id;
  }

  /** Takes a decision back: here when it is not sent yet, else by the server. */
  async undo(entryId, photoId, tab) {
    return navigator.locks.request(LOCK, async () => {
      const entries = read();
      if (entries.some((entry) => entry.id === entryId)) {
        write(entries.filter((entry) => entry.id !== entryId));
        return;
      }
      await call("POST", `/review/${encodeURIComponent(photoId)}/undo`, { tab });
    });
  }

  async pump() {
    if (this.running) return this.wake();
    this.running = true;
    while (this.entries.length > 0) {
      // One tab at a time: all of them share what is kept.
      const outcome = await navigator.locks.request(LOCK, () => this.sendFirst());
      if (outcome === "stop") break;
      if (outcome === "wait") {
        const pause = PAUSES_MS[Math.min(this.failures++, PAUSES_MS.length - 1)];
        this.tell.offline(this.entries.length);
        await new Promise((resolve) => {
          this.wake = resolve;
          setTimeout(resolve, pause);
        });
      } else if (this.failures > 0 && this.entries.length === 0) {
        this.failures = 0;
        this.tell.offline(0);
      }
    }
    this.running = false;
  }

  async sendFirst() {
    const [entry] = this.entries;
    if (entry === undefined) return "sent";
    let problem = null;
    try {
      const path = `/review/${encodeURIComponent(entry.photoId)}/${entry.action}`;
      await call("POST", path, { ...entry.body, tab: entry.tab });
    } catch (error) {
      if (error.passing) return "wait";
      if (error.status === 401 || error.status === 403) {
        this.tell.signedOut();
        return "stop";
      }
      problem = error;
    }
    write(read().filter((other) => other.id !== entry.id));
    if (problem === null) this.tell.done(entry);
    else this.tell.refused(entry, problem.message);
    return "sent";
  }
}
