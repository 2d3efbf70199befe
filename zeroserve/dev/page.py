"""Page: what a development server adds to HTML pages, and the page when nothing can be shown yet.

The added script listens for events and loads the page again when there is a newer build. Faults lie
over the page, as text: nothing of them is taken for markup.
"""

from __future__ import annotations

import json

_SCRIPT = """
<script>
(() => {
  const built = BUILT, events = new EventSource(URL);
  let box = null;
  events.addEventListener("site", (event) => {
    if (Number(event.data) !== built) location.reload();
    else if (box) { box.remove(); box = null; }
  });
  events.addEventListener("fault", (event) => {
    if (!box) {
      box = document.createElement("pre");
      box.style.cssText =
        "position:fixed;inset:0;margin:0;padding:2em;overflow:auto;z-index:2147483647;" +
        "background:#1c1917f2;color:#fecaca;white-space:pre-wrap;" +
        "font:14px/1.5 ui-monospace,monospace";
      document.documentElement.append(box);
    }
    box.textContent = JSON.parse(event.data);
  });
})();
</script>
"""
EMPTY_PAGE = b"<!doctype html>\n<title>No site yet</title>\n<p>The site could not be built yet.\n"


def page_suffix(url: str, built: int) -> bytes:
    """The script, for pages of the build number `built` that listen at `url`."""
    return _SCRIPT.replace("URL", json.dumps(url)).replace("BUILT", str(built)).encode()
