"""How soon each page of the console shows something in a real Chromium, with 100,000 events behind it.

``make bench-one NAME=first_paint``. Milliseconds from the request to the first paint of content, as the browser itself
says; over loopback, of several loads the smallest and the middle. Without Chromium it says so and measures nothing.
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from browser.chrome import CHROMIUM, Chromium
from browser.seed import EVENTS, ORDER, serve_seeded
from harness import Gateway, Sandbox, get_json
from tikrelay.watch.console.page import NAVIGATION

LOADS = 7


async def measure(chromium: Chromium, gateway: Gateway) -> dict[str, list[float]]:
    """Load every page several times, in turns."""
    (order,) = get_json(f"{gateway.admin_url}/api/events?event_id={ORDER}")["events"]
    pages = {**{name: path for path, name in NAVIGATION}, "one event": f"/events/{order['ref']}"}
    paints: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(LOADS):
        async with chromium.tab(gateway.admin_url) as tab:
            for name, path in pages.items():
                await tab.open(path)
                paints[name].append(await tab.first_paint_ms())
    return paints


def main() -> int:
    """Print the table."""
    if CHROMIUM is None:
        print("chromium is not installed (Debian: apt-get install chromium)")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sandbox, chromium = Sandbox(folder), Chromium(folder)
        gateway = serve_seeded(folder, sandbox)
        try:
            paints = asyncio.run(measure(chromium, gateway))
        finally:
            chromium.close()
            gateway.close()
            sandbox.close()
    print(f"{EVENTS:,} events; ms to the first paint, of {LOADS} loads\n")
    print("| page | smallest | middle |")
    print("|---|---|---|")
    for page, found in paints.items():
        print(f"| {page} | {min(found):.0f} | {statistics.median(found):.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
