"""A real Chromium on a shop page: the requests gtag makes, cookies, CORS, and a clean console.

The page repeats what gtag.js does on the wire (fetch with credentials and keepalive, a text/plain POST for what is too
long for a URL, a no-cors beacon without a body on hide); gtag.js itself is Google's and is not shipped here.
"""

import http.server
import json
import subprocess
import threading
import urllib.parse
from pathlib import Path

from browser.chrome import CHROMIUM, FLAGS, needs_chromium

TTCLID = "E.C.P.browser-click"

pytestmark = needs_chromium

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>shop</title><script>
const trouble = [];
window.addEventListener('error', e => trouble.push('error ' + e.message));
window.addEventListener('unhandledrejection', e => trouble.push('rejected ' + e.reason));
const gateway = GATEWAY;
const base = gateway + '/metrics/g/collect?v=2&tid=G-BROWSER&cid=1.2&sid=1795312000&_p=77';
const text = encodeURIComponent;
const ask = {credentials: 'include', keepalive: true, cache: 'no-store', redirect: 'follow'};
const hit = (count, page, rest) =>
  fetch(base + '&_s=' + count + '&dl=' + text('http://localhost/' + page) + rest + '&richsstsse', ask)
    .then(answer => answer.status);
const landing = 'landing?ttclid=TTCLID&utm_source=tt';
const frame = () => new Promise(done => {
  const f = document.createElement('iframe');
  f.style.display = 'none';
  f.onload = done;
  setTimeout(done, 1000);
  f.src = gateway + '/metrics/_/service_worker/67r0/sw_iframe.html?origin=' + text(location.origin) + '&1p=1';
  document.body.appendChild(f);
});
addEventListener('load', async () => {
  const statuses = [];
  await frame();
  statuses.push(await hit(1, landing, '&gcs=G100&en=page_view'));
  statuses.push(await hit(2, landing, '&gcs=G111&gcu=1&en=page_view'));
  const mug = text('idSKU-1~pr9.5');
  statuses.push(await hit(3, 'p', '&gcs=G111&en=view_item&cu=EUR&pr1=' + mug + '&ep.event_id=b-view'));
  const lines = 'en=add_to_cart&ep.event_id=b-cart&cu=EUR&pr1=' + text('idSKU-1~pr9.5~qt1') + '\\r\\n' +
    'en=wishlist_opened&ep.event_id=b-custom';
  statuses.push((await fetch(base + '&_s=4&gcs=G111', {...ask, method: 'POST', body: lines})).status);
  statuses.push(await hit(5, 'thanks', '&gcs=G111&en=purchase&cu=EUR&epn.value=19&ep.transaction_id=R-9' +
    '&ep.user_data.email=' + text('Ann@Shop.example')));
  const json = {method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({event_name: 'contact', event_id: 'b-data'})};
  statuses.push((await fetch(gateway + '/data', json)).status);
  await fetch(base + '&_s=6&gcs=G111&en=download&ep.event_id=b-beacon',
    {method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true});
  await new Promise(done => {
    const image = new Image();
    image.onload = done;
    image.onerror = () => { trouble.push('the image did not load'); done(); };
    image.src = base + '&_s=7&gcs=G111&en=subscribe&ep.event_id=b-image';
  });
  await fetch('/told', {method: 'POST', body: JSON.stringify({statuses, trouble, cookie: document.cookie})});
});
</script><body>shop</body>"""


class Shop(http.server.ThreadingHTTPServer):
    """Serves the page, and hears from it when it is done."""

    def __init__(self, gateway_url: str) -> None:
        self.told: dict = {}
        self.done = threading.Event()
        self.page = PAGE.replace("GATEWAY", json.dumps(gateway_url)).replace("TTCLID", TTCLID).encode()
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
            f"--user-data-dir={profile / 'profile'}",
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
    shop = Shop(gateway.url.replace("127.0.0.1", "localhost"))
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    try:
        console = browse(f"http://localhost:{shop.server_port}/landing", shop.done, tmp_path)
    finally:
        shop.shutdown()
        shop.server_close()

    assert console == ""
    assert shop.told["trouble"] == []
    assert shop.told["statuses"] == [204, 204, 204, 204, 204, 200]
    assert f"ttclid={TTCLID}" in urllib.parse.unquote(shop.told["cookie"])

    events = {event["event_id"]: event for event in sandbox.wait_for_events(8)}
    expected = ["AddToCart", "Contact", "Download", "PageView", "PlaceAnOrder", "Subscribe", "ViewContent"]
    assert sorted(event["event"] for event in events.values()) == [*expected, "wishlist_opened"]
    assert {"b-view", "b-cart", "b-custom", "R-9", "b-data", "b-beacon", "b-image"} < events.keys()
    assert {TTCLID} == {event["user"].get("ttclid") for event in events.values()}
