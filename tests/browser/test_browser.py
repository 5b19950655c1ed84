"""A real Chromium on a shop page: the requests gtag makes, cookies, CORS, and a clean console.

The page repeats what gtag.js does on the wire (fetch with credentials and keepalive, a text/plain POST for what is too
long for a URL, a no-cors beacon without a body on hide); gtag.js itself is Google's and is not shipped here.
"""

import http.server
import json
import shutil
import subprocess
import threading
import urllib.parse
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic",
]  # fmt: skip
TTCLID = "E.C.P.browser-click"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>shop</title><script>
const trouble = [];
window.addEventListener('error', e => trouble.push('error ' + e.message));
window.addEventListener('unhandledrejection', e => trouble.push('rejected ' + e.reason));
const base = GATEWAY + '/metrics/g/collect?v=2&tid=G-BROWSER&cid=1.2&sid=1795312000&_p=77';
const here = 'http://localhost/landing?ttclid=' + TTCLID + '&utm_source=tt';
const hit = (count, rest) => fetch(base + '&_s=' + count + '&dl=' + encodeURIComponent(here) + rest,
  {credentials: 'include', keepalive: true, cache: 'no-store', redirect: 'follow'});
const later = (count, rest) => fetch(base + '&_s=' + count + '&dl=' + encodeURIComponent('http://localhost/thanks') + rest,
  {credentials: 'include', keepalive: true, cache: 'no-store', redirect: 'follow'});
(async () => {
  const statuses = [];
  statuses.push((await hit(1, '&gcs=G100&en=page_view&richsstsse')).status);
  statuses.push((await hit(2, '&gcs=G111&gcu=1&en=page_view&richsstsse')).status);
  statuses.push((await later(3, '&gcs=G111&en=view_item&cu=EUR&pr1=' + encodeURIComponent('idSKU-1~pr9.5') + '&ep.event_id=b-view&richsstsse')).status);
  const lines = 'en=add_to_cart&ep.event_id=b-cart&cu=EUR&pr1=' + encodeURIComponent('idSKU-1~pr9.5~qt1') + '\\r\\n' +
    'en=wishlist_opened&ep.event_id=b-custom';
  statuses.push((await fetch(base + '&_s=4&gcs=G111', {method: 'POST', body: lines, credentials: 'include', keepalive: true})).status);
  statuses.push((await later(5, '&gcs=G111&en=purchase&cu=EUR&epn.value=19&ep.transaction_id=R-9&ep.user_data.email=' +
    encodeURIComponent('Ann@Shop.example') + '&richsstsse')).status);
  const json = await fetch(GATEWAY + '/data', {method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({event_name: 'contact', event_id: 'b-data'})});
  statuses.push(json.status);
  await fetch(base + '&_s=6&gcs=G111&en=download&ep.event_id=b-beacon', {method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true});
  await new Promise(done => { const i = new Image(); i.onload = i.onerror = done; i.src = base + '&_s=7&gcs=G111&en=subscribe&ep.event_id=b-image'; });
  document.title = 'done';
  await fetch('/told', {method: 'POST', body: JSON.stringify({statuses, trouble, cookie: document.cookie})});
})();
</script>"""


class Shop(http.server.ThreadingHTTPServer):
    """Serves the page, and hears from it when it is done."""

    def __init__(self, gateway_url: str) -> None:
        self.told: dict = {}
        self.done = threading.Event()
        page = PAGE.replace("GATEWAY", json.dumps(gateway_url), 1).replace("GATEWAY", json.dumps(gateway_url))
        self.page = page.replace("' + TTCLID + '", TTCLID).encode()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.page)

    def do_POST(self) -> None:
        self.server.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_: object) -> None:
        pass


def browse(url: str, done: threading.Event, profile: Path) -> str:
    """Open a page and return what the browser's console said."""
    log = profile / "console.log"
    with log.open("wb") as out:
        command = [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--remote-debugging-port=0",
            url,
        ]
        browser = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            assert done.wait(60), log.read_text(errors="replace")[-3000:]
        finally:
            browser.terminate()
            browser.wait(20)
    return "\n".join(line for line in log.read_text(errors="replace").splitlines() if "CONSOLE" in line)


def test_what_the_page_did_is_what_tiktok_got_and_the_console_stays_clean(sandbox, gateway, tmp_path):
    url = gateway.url.replace("127.0.0.1", "localhost")
    shop = Shop(url)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    try:
        console = browse(f"http://localhost:{shop.server_port}/landing", shop.done, tmp_path / "profile")
    finally:
        shop.shutdown()
        shop.server_close()

    assert "" == console
    assert [] == shop.told["trouble"]
    assert [204, 204, 204, 204, 204, 200] == shop.told["statuses"]
    assert f"ttclid={TTCLID}" in urllib.parse.unquote(shop.told["cookie"])

    events = {event["event"]["event_id"]: event["event"] for event in sandbox.wait_for_events(8)}
    by_name = sorted(event["event"] for event in events.values())
    assert (
        sorted(
            [
                "PageView",
                "ViewContent",
                "AddToCart",
                "wishlist_opened",
                "PlaceAnOrder",
                "Contact",
                "Download",
                "Subscribe",
            ]
        )
        == by_name
    )
    assert {"b-view", "b-cart", "b-custom", "R-9", "b-data", "b-beacon", "b-image"} < events.keys()
    assert {TTCLID} == {event["user"]["ttclid"] for event in events.values()}
    assert "currency" not in events["b-custom"].get("properties", {})
    assert "Chrome" in events["b-data"]["user"]["user_agent"]
