"""What a visitor's no leaves behind, and what it keeps out of the browser, in a server as it runs."""

from harness import get, purchase

PAGE = "https://www.shop.example/?ttclid=E.C.P.abc"


def test_a_no_leaves_a_count_and_nothing_on_the_disk(gateway, sandbox):
    gateway.hit(purchase(77001, gcs="G100"))
    gateway.hit(purchase(77002))

    books = gateway.wait_until_settled()

    written = b"".join(path.read_bytes() for path in gateway.outbox.rglob("*") if path.is_file())
    assert {"received": 2, "accepted": 1, "waiting": 0, "dead": 0, "dropped": 1} == books
    assert ["R-77002"] == [event["event_id"] for event in sandbox.events()]
    assert (True, False) == (b"R-77002" in written, b"R-77001" in written)


def test_a_running_server_sets_cookies_by_the_settings_rule_alone(gateways):
    def is_set(url: str, **consent: str) -> bool:
        hit = purchase(1, dl=PAGE, **consent)
        return "set-cookie" in get(f"{url}/g/collect?{hit}", headers={"Host": "gw.shop.example"})[1]

    url = gateways(privacy={"cookies": "required"}).start().url

    assert [True, False, False] == [is_set(url, gcs="G111"), is_set(url, gcs="G100"), is_set(url)]
