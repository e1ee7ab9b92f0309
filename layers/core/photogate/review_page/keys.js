// Single keys, each for one action.

/**
 * Runs the action of a key that is pressed outside of fields.
 *
 * `actions` has a function for each key; `digit` is asked first about digits and tells whether it
 * took one; `cancel` is Escape.
 */
export function listen({ actions, digit, cancel }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return cancel();
    const writes = event.target.closest("input, select, textarea");
    const presses = event.target.closest("button, summary") && (event.key === " " || event.key === "Enter");
    if (writes || presses) return;
    const key = event.key.toLowerCase();
    if (/^[0-9]$/.test(key) && digit(key)) return event.preventDefault();
    if (actions[key] === undefined) return;
    event.preventDefault();
    actions[key]();
  });
}
