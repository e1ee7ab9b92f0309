// Says so when the page's scripts or styles do not load, or do not fit each other (a new version came
// between), so that nobody waits at a page that does nothing. No module: it runs before they do, and
// alone. It goes by what failed, never by time: what waits for long is told in the page itself.
{
  const waiting = new AbortController();
  let unstyled = false;

  function notice() {
    const line = document.createElement("p");
    line.textContent = "This page did not load completely.";
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Reload";
    again.addEventListener("click", () => location.reload());
    const place = document.createElement("div");
    place.id = "incomplete";
    place.setAttribute("role", "alert");
    place.append(line, again);
    return place;
  }

  function tell() {
    if (waiting.signal.aborted || document.getElementById("incomplete")) return;
    if (document.body) document.body.prepend(notice());
    else addEventListener("DOMContentLoaded", tell, { once: true });
  }

  /** Of scripts, styles and errors that nobody caught: a picture's failure is told in its place. */
  function failed({ target }) {
    const style = target instanceof HTMLLinkElement && target.rel === "stylesheet";
    unstyled ||= style;
    if (style || target instanceof HTMLScriptElement || target === window) tell();
  }

  // Events of files do not bubble.
  addEventListener("error", failed, { capture: true, signal: waiting.signal });
  addEventListener("unhandledrejection", tell, { signal: waiting.signal });
  addEventListener(
    "page-ready",
    () => {
      waiting.abort();
      document.getElementById("stays")?.remove();
      if (!unstyled) document.getElementById("incomplete")?.remove();
    },
    { once: true },
  );
}
