"""The pictures of the console in docs/images: ``make screenshots`` writes them anew."""

import asyncio
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from browser.chrome import Chromium
from browser.seed import BEHIND_A_PROXY, KINDS, ORDER, Seeding, serve_seeded
from harness import Gateway, Sandbox, get, get_json

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
HEIGHT: Final = 880
HITS: Final = 40
EVERY_S: Final = 0.05


def send_hits(gateway: Gateway, sandbox: Sandbox, seconds: float = HITS * EVERY_S) -> None:
    """Let visitors come: most buy or look, some say no, and TikTok refuses one."""
    visitors = Seeding(now=time.time(), events=HITS, chance=random.Random(5))
    names = itertools.cycle([*KINDS, "scroll", "add_to_cart"])
    sandbox.fault("refuse", event="Search")
    for number, name in zip(range(HITS), names, strict=False):
        is_no = number % 13 == 5
        url, headers = visitors.hit(name if name in KINDS else "page_view", is_lost=False)
        url = url.replace("en=page_view", f"en={name}") if name not in KINDS else url
        get(gateway.url + (url.replace("gcs=G111", "gcs=G100") if is_no else url), headers=headers)
        time.sleep(seconds / HITS)


async def take_live(chromium: Chromium, gateway: Gateway, sandbox: Sandbox) -> None:
    """Take Live, in light and in the dark, while events arrive."""
    for name, dark in (("live", False), ("live-dark", True)):
        async with chromium.tab(gateway.admin_url, dark=dark) as tab:
            await tab.open("/live")
            await tab.until_text("Connected")
            await asyncio.to_thread(send_hits, gateway, sandbox)
            await tab.until("document.querySelectorAll('tbody .waiting').length === 0")
            await tab.picture(IMAGES / f"{name}.png", height=HEIGHT)


async def take_others(chromium: Chromium, gateway: Gateway) -> None:
    """Take the pages that look back."""
    (order,) = get_json(f"{gateway.admin_url}/api/events?event_id={ORDER}")["events"]
    pages = {"overview": "/", "coverage": "/coverage", "dead-letters": "/letters", "event": f"/events/{order['ref']}"}
    async with chromium.tab(gateway.admin_url) as tab:
        for name, path in pages.items():
            await tab.open(path)
            await tab.picture(IMAGES / f"{name}.png", height=HEIGHT)


def main() -> int:
    """Write the pictures, and say how large they are."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sandbox, chromium = Sandbox(folder), Chromium(folder)
        seeded, fresh = serve_seeded(folder, sandbox), Gateway(folder / "fresh", sandbox.url, server=BEHIND_A_PROXY)
        try:
            asyncio.run(take_others(chromium, seeded))
            asyncio.run(take_live(chromium, fresh.start(), sandbox))
        finally:
            chromium.close()
            fresh.close()
            seeded.close()
            sandbox.close()
    for picture in sorted(IMAGES.glob("*.png")):
        print(f"{picture.name:20} {picture.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
