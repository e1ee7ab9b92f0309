"""The moderators' page in Chromium: from a key to the next photo, weight, and what moves."""

from __future__ import annotations

import shutil
import statistics

from playwright.sync_api import Page, sync_playwright

from bench.installation import Address
from photogate.auth import sign_in_link
from photogate.domain import Role

_DECISIONS = 100
_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

#: Notes, for the key that decides, when the photo after it was on the screen: its image is in the
#: page, decoded, and the frame that shows it has been produced.
_WATCH = """() => {
  window.took = [];
  window.moved = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.moved += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  const photo = () => document.querySelector("#picture img")?.src.split("/").at(-2);
  let pressed = null;
  addEventListener("keydown", (event) => {
    if (/^[1-9]$/.test(event.key)) pressed = { at: event.timeStamp, photo: photo() };
  }, true);
  async function look() {
    const image = document.querySelector("#picture img");
    if (pressed === null || !image || photo() === pressed.photo) return;
    const { at } = pressed;
    pressed = null;
    await image.decode();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.took.push(performance.now() - at);
      channel.port2.postMessage(null);
    });
  }
  const all = { childList: true, subtree: true, attributes: true };
  new MutationObserver(look).observe(document.getElementById("picture"), all);
}"""
#: Bytes over the wire, heads included, without photos.
_WEIGHT = """() => performance.getEntriesByType("resource")
  .concat(performance.getEntriesByType("navigation"))
  .filter((entry) => !entry.name.includes("/photo?"))
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""
#: From opening the page until its first photo was there.
_FIRST = """async () => {
  const photo = () => document.querySelector("#picture img");
  while (!photo()?.complete) await new Promise(requestAnimationFrame);
  return performance.now();
}"""


def browse(address: Address) -> dict[str, str]:
    """Sign in, decide a hundred photos by keyboard, and give what was measured, in words."""
    link = sign_in_link(
        address.url, "bench-eve", secret=address.secret, role=Role.MODERATOR, name="Eve"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(_SWITCHES)
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(link)
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin")
        page.wait_for_selector("#picture img")
        opened = [_opened(page, address) for _ in range(5)]
        weight = int(page.evaluate(_WEIGHT))
        took = _decided(page)
        moved = float(page.evaluate("moved"))
        browser.close()
    return {
        "first photo after opening the page": f"p50 {statistics.median(opened):7.1f}"
        f"  worst {max(opened):7.1f}  ({len(opened)})",
        "key to next photo painted": f"p50 {statistics.median(took):7.1f}"
        f"  p95 {statistics.quantiles(took, n=20)[-1]:7.1f}  ({len(took)})",
        "page without photos, kB": f"{weight / 1000:.1f}",
        "layout shift": f"{moved:.4f}",
    }


def _opened(page: Page, address: Address) -> float:
    """Open the page with an empty cache."""
    client = page.context.new_cdp_session(page)
    client.send("Network.clearBrowserCache")
    page.goto(f"{address.url}/admin")
    return float(page.evaluate(_FIRST))


def _decided(page: Page) -> list[float]:
    page.evaluate(_WATCH)
    for n in range(_DECISIONS):
        page.wait_for_selector("#picture img")
        page.keyboard.press("r")
        page.keyboard.press("5")
        page.wait_for_function("(n) => window.took.length > n", arg=n)
        # A person looks at it, too, at least for a moment.
        page.wait_for_timeout(150)
    took: list[float] = page.evaluate("took")
    return took
