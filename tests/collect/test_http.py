"""The routes: who is let in, what is handed on, what is answered."""

import gzip
import json

import pytest

from tikrelay.base.happenings import EventWarned, HitAnswered
from tikrelay.collect.http import route_of

HIT = "/g/collect?v=2&tid=G-SHOP&cid=1.2&en=purchase"
PAGE = "https%3A%2F%2Fwww.shop.example%2F%3Fttclid%3DE.C.P.abc"
MP = b'{"client_id":"1.2","events":[{"name":"purchase"}]}'
LEAD = b'{"event_name":"lead"}'
CORS = {"origin": "https://www.shop.example"}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/g/collect", "ga4"), ("/metrics/x/g/collect", "ga4"), ("/collect", "ga4"), ("/g/s/collect", "not_ours"),
        ("/x/j/collect", "not_ours"), ("/mp/collect", "mp"), ("/debug/mp/collect", "debug_mp"), ("/data", "data"),
        ("/healthy", "healthy"), ("/readyz", "readyz"), ("/", None), ("", None), ("/metrics", None),
        ("/api/events", None),
        ("/data/", None), ("/gtag/js", None), ("/_/service_worker/61k0/sw_iframe.html", None), ("/gcollect", None),
        ("/x/mp/collect", None),
        ("/g/collect/", None), ("/xcollect", None),
    ],
)  # fmt: skip
def test_a_path_has_its_route(path, route):
    found = route_of(path)

    assert route == (found[0] if found else None)


# gtag.js


@pytest.mark.parametrize("prefix", ["", "/metrics/x", "/%7Ea"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hit_is_answered_204_and_handed_on(relay, method, prefix):
    answer = await relay.ask(method, prefix + HIT, headers=CORS)

    assert (204, b"") == (answer.status, answer.body)
    assert "https://www.shop.example" == answer.header("access-control-allow-origin")
    assert "true" == answer.header("access-control-allow-credentials")
    assert "Origin" == answer.header("vary")
    assert "no-cache, no-store, must-revalidate" == answer.header("cache-control")
    assert answer.header("content-length") is None
    assert ["purchase"] == [event.name for event in relay.events]


async def test_without_an_origin_no_cors_header_is_sent(relay):
    answer = await relay.ask("GET", HIT)

    assert answer.header("access-control-allow-origin") is None


async def test_a_batch_comes_in_chunks_and_keeps_its_order(relay):
    answer = await relay.ask(
        "POST", "/g/collect?v=2&tid=G-SHOP&richsstsse", body=[b"en=a&cu=E", b"UR\r\nen", b"=b"], headers=CORS
    )

    assert 204 == answer.status
    assert [("a", "EUR"), ("b", None)] == [(event.name, event.data.get("currency")) for event in relay.events]


async def test_a_compressed_batch_is_read(relay):
    answer = await relay.ask(
        "POST", "/g/collect?v=2&tid=G-SHOP", body=gzip.compress(b"en=a"), headers={"content-encoding": "gzip"}
    )

    assert (204, ["a"]) == (answer.status, [event.name for event in relay.events])


async def test_an_image_is_answered_with_one(relay):
    answer = await relay.ask("GET", HIT, headers={"sec-fetch-dest": "image"})

    assert (200, "image/gif", b"GIF89a") == (answer.status, answer.header("content-type"), answer.body[:6])
    assert str(len(answer.body)) == answer.header("content-length")


async def test_head_is_answered_as_get_without_its_body(relay):
    answer = await relay.ask("HEAD", "/healthy")

    assert (200, b"", "3") == (answer.status, answer.body, answer.header("content-length"))


@pytest.mark.parametrize("query", ["", "?v=1&tid=UA-1", "?x=base64"])
@pytest.mark.parametrize("path", ["/collect", "/g/s/collect", "/j/collect"])
async def test_googles_other_endpoints_are_answered_204_and_counted(relay, path, query):
    answer = await relay.ask("POST", path + query, body=b"v=1&t=pageview")

    assert (204, [], ["not_ga4"]) == (answer.status, relay.events, relay.turned_away)


async def test_a_hit_at_another_collect_path_is_taken(relay):
    answer = await relay.ask("GET", HIT.replace("/g/collect", "/own/collect"))

    assert (204, 1) == (answer.status, len(relay.events))


@pytest.mark.parametrize(
    ("url", "code"),
    [("/g/collect", "no_ga4_hit"), ("/g/collect?v=2&tid=G-SHOP", "no_event"), ("/g/collect?en=a", "no_ga4_hit")],
)
async def test_what_is_no_hit_is_told_in_the_one_shape(relay, url, code):
    answer = await relay.ask("GET", url, headers=CORS)

    assert (400, code) == (answer.status, answer.error_code)
    assert {"error"} == set(answer.json())
    assert {"code", "message", "hint", "request_id"} == set(answer.json()["error"])
    assert "application/json" == answer.header("content-type")
    assert "https://www.shop.example" == answer.header("access-control-allow-origin")
    assert [code] == relay.turned_away


@pytest.mark.parametrize("url", [HIT, "/g/collect?v=2&en=a", "/g/collect?v=2&tid=&en=a"])
async def test_a_foreign_measurement_id_is_answered_as_any_other_and_counted(relay_with, url):
    relay = relay_with(measurement_ids=("G-OURS",))

    answer = await relay.ask("GET", url)

    assert (204, [], ["foreign_measurement_id"]) == (answer.status, relay.events, relay.turned_away)


async def test_one_of_our_measurement_ids_is_taken(relay_with):
    relay = relay_with(measurement_ids=("G-OURS", "G-SHOP"))

    await relay.ask("GET", HIT)

    assert 1 == len(relay.events)


async def test_raw_utf_8_in_a_query_is_read(relay):
    await relay.ask("GET", HIT + "&dt=Größe")

    assert "Größe" == relay.events[0].data["page_title"]


# The visitor


async def test_the_visitor_is_read_from_the_request(relay_with):
    relay = relay_with(trusted_proxies=("10.0.0.0/8",))

    await relay.ask(
        "GET",
        HIT,
        headers=[
            ("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "8.8.8.8, 10.0.0.5"), ("User-Agent", "UA"),
            ("Cookie", "bad[=;; ttclid=C"), ("Cookie", "_ttp=P; ttclid=later"), ("Sec-CH-UA-Platform", '"Linux"'),
        ],
        peer="10.0.0.2",
    )  # fmt: skip
    (event,) = relay.events

    assert ("8.8.8.8", "UA") == (event.visitor.ip, event.visitor.user_agent)
    assert ("C", "P") == (event.visitor.ttclid_cookie, event.visitor.ttp_cookie)
    assert {"platform": "Linux"} == event.client_hints


async def test_a_forwarded_address_is_not_believed_from_a_stranger(relay):
    await relay.ask("GET", HIT, headers={"x-forwarded-for": "1.1.1.1"}, peer="8.8.4.4")

    assert "8.8.4.4" == relay.events[0].visitor.ip


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", None, ""])
async def test_a_private_or_missing_peer_is_nobodys_address(relay, peer):
    await relay.ask("GET", HIT, peer=peer)

    assert relay.events[0].visitor.ip is None


# The click id's cookie


@pytest.mark.parametrize(
    ("host", "domain"),
    [("gw.shop.example", "; Domain=shop.example"), ("www.shop.example:8443", "; Domain=shop.example")],
)
async def test_the_pages_click_id_is_kept_for_the_site(relay, host, domain):
    answer = await relay.ask("GET", f"{HIT}&dl={PAGE}", headers={"host": host})

    expected = f"ttclid=E.C.P.abc; Max-Age=2592000; Path=/{domain}; Secure; SameSite=Lax"

    assert expected == answer.header("set-cookie")


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("gw.vendor.example", ""),
        ("gw.shop.example", "&gcs=G100"),
        ("gw.shop.example", "&gcd=13p3p3p3p5l1"),
        ("8.8.8.8", ""),
    ],
)
async def test_it_is_not_kept_elsewhere_or_against_the_visitors_will(relay, host, more):
    answer = await relay.ask("GET", f"{HIT}&dl={PAGE}{more}", headers={"host": host})

    assert 204 == answer.status
    assert answer.header("set-cookie") is None


@pytest.mark.parametrize("key", ["page_location", "x-ttq-ct-page-url"])
async def test_event_data_from_a_browser_keeps_it_too(relay, key):
    url = f"/data?event_name=a&{key}={PAGE}"

    browsers = await relay.ask("GET", url, headers={"host": "gw.shop.example", **CORS})
    servers = await relay.ask("GET", url, headers={"host": "gw.shop.example"})

    assert "E.C.P.abc" in str(browsers.header("set-cookie"))
    assert servers.header("set-cookie") is None


async def test_a_visitor_may_be_given_an_id_beside_the_click_id(relay_with):
    relay = relay_with(cookies={"generate_ttp": True})

    answer = await relay.ask("GET", f"{HIT}&dl={PAGE}", headers={"host": "gw.shop.example"})

    (event,) = relay.events
    click_id, pixel = answer.all_of("set-cookie")
    assert click_id.startswith("ttclid=E.C.P.abc; ")
    assert pixel.startswith(f"_ttp={event.visitor.ttp_cookie}; Max-Age=34128000; ")


@pytest.mark.parametrize("cookie", ["_ttp=2abc", 'ttclid=a; _ttp="2abc"'])
async def test_the_id_a_browser_has_stays_as_it_is(relay_with, cookie):
    relay = relay_with(cookies={"generate_ttp": True})

    answer = await relay.ask("GET", f"{HIT}&dl={PAGE}", headers={"host": "gw.shop.example", "cookie": cookie})

    assert "2abc" == relay.events[0].visitor.ttp_cookie
    assert ["ttclid"] == [one.partition("=")[0] for one in answer.all_of("set-cookie")]


async def test_only_a_browser_is_given_cookies(relay_with):
    relay = relay_with(cookies={"generate_ttp": True})
    page = b'{"event_name":"a","page_location":"https://www.shop.example/?ttclid=E.C.P.abc"}'
    call = b'{"client_id":"1","events":[{"name":"a","params":{"page_location":"https://shop.example/?ttclid=a"}}]}'
    host = {"host": "gw.shop.example"}

    browsers = await relay.ask("POST", "/data", body=page, headers={**host, **CORS})
    servers = await relay.ask("POST", "/data", body=page, headers=host)
    protocols = await relay.ask("POST", "/mp/collect", body=call, headers={**host, **CORS})

    assert [2, 0, 0] == [len(answer.all_of("set-cookie")) for answer in (browsers, servers, protocols)]
    assert [True, False, False] == [event.visitor.ttp_cookie is not None for event in relay.events]


async def test_what_could_not_be_stored_sets_no_cookie(relay):
    relay.is_full = True

    answer = await relay.ask("GET", f"{HIT}&dl={PAGE}", headers={"host": "gw.shop.example"})

    assert (503, []) == (answer.status, answer.all_of("set-cookie"))


# Measurement Protocol


async def test_a_measurement_protocol_call_gets_a_receipt(relay):
    answer = await relay.ask("POST", "/mp/collect?measurement_id=G-SHOP&api_secret=x", body=MP)

    assert 200 == answer.status
    assert {"events": [{"event": "purchase", "outcome": "stored", "event_id": "id"}]} == answer.json()
    assert relay.events[0].visitor.ip is None


@pytest.mark.parametrize(
    ("secret", "status"), [("hunter2", 200), ("hunter", 403), ("", 403), ("%FF", 403), ("Hunter2", 403)]
)
async def test_a_call_needs_the_secret_where_one_is_set(relay_with, secret, status):
    relay = relay_with(mp_api_secret="hunter2")

    answer = await relay.ask("POST", f"/mp/collect?measurement_id=G-SHOP&api_secret={secret}", body=MP)

    assert status == answer.status
    assert b"hunter" not in answer.body
    assert (status == 200) == bool(relay.events)


async def test_a_secret_may_hold_any_letter(relay_with):
    relay = relay_with(mp_api_secret="gehörtuns", data_key="gehörtuns")

    by_query = await relay.ask("POST", "/mp/collect?api_secret=geh%C3%B6rtuns", body=MP)
    by_header = await relay.ask(
        "POST", "/data", body=LEAD, headers={"authorization": "Bearer " + "gehörtuns".encode().decode("latin-1")}
    )

    assert (200, 200) == (by_query.status, by_header.status)


@pytest.mark.parametrize("query", ["measurement_id=G-SHOP", "api_secret=x", "firebase_app_id=1:2"])
async def test_a_server_with_a_foreign_measurement_id_is_told(relay_with, query):
    relay = relay_with(measurement_ids=("G-OURS",))

    answer = await relay.ask("POST", f"/mp/collect?{query}", body=MP)

    assert (403, [], ["foreign_measurement_id"]) == (answer.status, relay.events, relay.turned_away)


@pytest.mark.parametrize("path", ["/g/collect?v=2&tid=G-1&en=contact", "/data?event_name=contact"])
async def test_a_look_at_the_head_of_a_route_is_no_event(relay, path):
    answer = await relay.ask("HEAD", path)

    assert (405, []) == (answer.status, relay.events)


async def test_a_receipt_tells_of_every_input_in_its_order(relay):
    body = json.dumps({"events": [{"name": "a"}, {}, {"name": "b"}, 5]}).encode()

    answer = await relay.ask("POST", "/mp/collect", body=body)

    assert 200 == answer.status
    assert ["stored", "refused", "stored", "refused"] == [told["outcome"] for told in answer.json()["events"]]
    assert ["event_without_name", "event_without_name"] == relay.turned_away


async def test_a_call_whose_events_are_all_refused_is_a_400(relay):
    answer = await relay.ask("POST", "/mp/collect", body=b'{"events":[{"params":{}}]}')

    assert (400, "no_event") == (answer.status, answer.error_code)
    assert ["refused"] == [told["outcome"] for told in answer.json()["events"]]


async def test_the_debug_route_validates_explains_and_stores_nothing(relay_with):
    relay = relay_with(mp_api_secret="hunter2", measurement_ids=("G-OURS",))

    valid = await relay.ask("POST", "/debug/mp/collect?measurement_id=G-OURS&api_secret=hunter2", body=MP)
    stranger = await relay.ask("POST", "/debug/mp/collect?api_secret=x", body=MP)
    invalid = await relay.ask("POST", "/debug/mp/collect", body=b"{")

    assert {"validationMessages": [], "tikrelay": [{"name": "purchase"}]} == valid.json()
    assert {"validationMessages": [], "tikrelay": []} == stranger.json()
    assert (200, "VALUE_INVALID") == (invalid.status, invalid.json()["validationMessages"][0]["validationCode"])
    assert [] == relay.events


# Event data


@pytest.mark.parametrize(
    ("headers", "address"),
    [({}, None), (CORS, "8.8.4.4"), ({"sec-fetch-mode": "no-cors"}, "8.8.4.4"), ({"referer": "x"}, None)],
)
async def test_event_data_is_a_browsers_by_its_headers(relay, headers, address):
    await relay.ask("POST", "/data", body=LEAD, headers=headers)

    assert address == relay.events[0].visitor.ip


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer s3cret", 200), ("bearer  s3cret", 200), ("Bearer s3cre", 401), ("Basic s3cret", 401), ("s3cret", 401),
     ("", 401), ("Bearer", 401), ("Bearer \xff", 401)],
)  # fmt: skip
async def test_event_data_needs_the_key_where_one_is_set(relay_with, authorization, status):
    relay = relay_with(data_key="s3cret")

    answer = await relay.ask("POST", "/data", body=LEAD, headers={"authorization": authorization})

    assert status == answer.status
    assert (status == 401) == (answer.header("www-authenticate") == "Bearer")
    assert (status == 200) == bool(relay.events)


async def test_the_key_of_event_data_guards_no_other_route(relay_with):
    relay = relay_with(data_key="s3cret")

    assert 204 == (await relay.ask("GET", HIT)).status
    assert 204 == (await relay.ask("OPTIONS", "/data", headers=CORS)).status


async def test_event_data_without_a_name_is_told(relay):
    answer = await relay.ask("GET", "/data?value=1")

    assert (400, "no_event", ["event_without_name"]) == (answer.status, answer.error_code, relay.turned_away)


async def test_a_part_that_cannot_be_read_is_told_in_its_events_receipt_and_counted(relay):
    answer = await relay.ask("POST", "/data?event_name=a", body=b"user_data={&x-ttq-event-id=e-1&items=[1")

    (told,) = answer.json()["events"]

    assert ("stored", 2) == (told["outcome"], len(told["warnings"]))
    assert {("unusable", "user_data"), ("unusable", "items")} == {
        (said.kind, said.field) for said in relay.happenings if isinstance(said, EventWarned)
    }


async def test_a_shared_part_that_cannot_be_read_is_told_for_each_event(relay):
    answer = await relay.ask("POST", "/data?user_data={", body=b'[{"event_name":"a"},{},{"event_name":"b"}]')

    assert [True, True, True] == [bool(told.get("warnings")) for told in answer.json()["events"]]
    assert ["stored", "refused", "stored"] == [told["outcome"] for told in answer.json()["events"]]


# Answers that all routes share


@pytest.mark.parametrize("path", ["/", "/nothing", "/metrics", "/api/x", "/gtm.js", "/g/collect/../../etc/passwd"])
async def test_what_is_not_served_is_a_404_that_repeats_nothing(relay, path):
    answer = await relay.ask("GET", path + "?token=hunter2")

    assert (404, "no_such_route") == (answer.status, answer.error_code)
    assert b"hunter2" not in answer.body
    assert path == "/" or path.encode() not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/g/collect", "GET, OPTIONS, POST"), ("DELETE", "/data", "GET, OPTIONS, POST"),
        ("GET", "/mp/collect", "OPTIONS, POST"), ("POST", "/healthy", "GET, HEAD, OPTIONS"),
        ("get", "/data", "GET, OPTIONS, POST"),
    ],
)  # fmt: skip
async def test_a_wrong_method_is_a_405_that_names_the_right_ones(relay, method, path, allowed):
    answer = await relay.ask(method, path)

    assert (405, "wrong_method", allowed) == (answer.status, answer.error_code, answer.header("allow"))


@pytest.mark.parametrize("path", ["/g/collect", "/data", "/mp/collect", "/x/g/collect"])
async def test_a_preflight_is_answered(relay, path):
    headers = {**CORS, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}

    answer = await relay.ask("OPTIONS", path, headers=headers)

    assert (204, b"") == (answer.status, answer.body)
    assert "https://www.shop.example" == answer.header("access-control-allow-origin")
    assert "GET, POST, OPTIONS" == answer.header("access-control-allow-methods")
    assert "content-type" == answer.header("access-control-allow-headers")
    assert "86400" == answer.header("access-control-max-age")


@pytest.mark.parametrize(
    ("url", "headers", "body", "status"),
    [
        (HIT + "&x=" + "x" * 8192, {}, b"", 414),
        (HIT, {"cookie": "x" * 32768}, b"", 431),
        (HIT, {f"x-{number}": "" for number in range(101)}, b"", 431),
        (HIT, {}, b"x" * (512 * 1024 + 1), 413),
        (HIT, {"content-length": "524289"}, b"", 413),
        (HIT, {"content-encoding": "gzip"}, gzip.compress(bytes(3 * 1024 * 1024)), 413),
        (HIT, {"content-encoding": "br"}, b"x", 415),
        (HIT, {"content-encoding": "gzip"}, b"x", 400),
    ],
    ids=["address", "header", "headers", "body", "announced", "bomb", "encoding", "not gzip"],
)
async def test_what_is_too_large_is_refused(relay, url, headers, body, status):
    answer = await relay.ask("POST", url, headers=headers, body=body)

    assert status == answer.status
    assert {"code", "message", "hint", "request_id"} == set(answer.json()["error"])
    assert [] == relay.events


@pytest.mark.parametrize(
    ("url", "body", "headers", "connection"),
    [
        (HIT, b"", {"content-length": "524289"}, "close"),
        (HIT, [b"x" * 524289, b"never asked for"], {"transfer-encoding": "chunked"}, "close"),
        ("/nothing", b"", {"content-length": "1", "expect": "100-continue"}, "close"),
        ("/nothing", [b"x", b"y"], {"content-length": "2"}, None),
        (HIT, b"", {"content-length": "0"}, None),
        (HIT, b"en=a", {"content-length": "4"}, None),
    ],
)
async def test_a_connection_on_which_the_rest_of_a_body_comes_is_not_used_again(relay, url, body, headers, connection):
    answer = await relay.ask("POST", url, headers=headers, body=body)

    assert connection == answer.header("connection")


async def test_a_connection_that_ends_within_the_body_hands_nothing_on(relay):
    answer = await relay.ask("POST", HIT, body=[])

    assert (400, "body_cut_off", []) == (answer.status, answer.error_code, relay.events)


@pytest.mark.parametrize(
    ("method", "url", "body"), [("GET", HIT, b""), ("POST", "/data", LEAD), ("POST", "/mp/collect", MP)]
)
async def test_what_cannot_be_stored_is_a_503_that_says_when_to_come_again(relay, method, url, body):
    relay.is_full = True

    answer = await relay.ask(method, url, body=body, headers=CORS)

    assert (503, "cannot_store", "5") == (answer.status, answer.error_code, answer.header("retry-after"))
    assert "https://www.shop.example" == answer.header("access-control-allow-origin")


async def test_a_defect_costs_its_own_request_and_tells_nothing_of_it(relay):
    relay.is_broken = True

    answer = await relay.ask("GET", HIT)

    assert (500, "defect", 1) == (answer.status, answer.error_code, len(relay.defects))
    assert b"jane" not in answer.body
    assert b"Traceback" not in answer.body


async def test_alive_and_ready_are_told_apart(relay):
    relay.is_full = True

    assert 200 == (await relay.ask("GET", "/healthy")).status
    assert 503 == (await relay.ask("GET", "/readyz")).status


async def test_a_server_that_stops_is_not_ready_and_closes_connections(relay):
    assert 200 == (await relay.ask("GET", "/readyz")).status
    relay.app.draining = True

    assert 503 == (await relay.ask("GET", "/readyz")).status
    assert "close" == (await relay.ask("GET", HIT)).header("connection")


async def test_every_request_of_a_collecting_route_is_counted_with_its_events(relay):
    await relay.ask("POST", "/g/collect?v=2&tid=G-SHOP", body=b"en=a\r\nen=b")
    await relay.ask("GET", "/g/collect")
    await relay.ask("GET", "/healthy")

    answered = [(said.route, said.status, said.events) for said in relay.happenings if isinstance(said, HitAnswered)]

    assert [("ga4", 204, 2), ("ga4", 400, 0)] == answered


async def test_what_is_not_http_is_passed_over(relay):
    async def never(*_: object) -> dict[str, object]:
        raise AssertionError

    await relay.app({"type": "lifespan"}, never, never)

    assert [] == relay.happenings


# Which names, pages and addresses


@pytest.mark.parametrize("path", [HIT, "/data", "/mp/collect", "/nothing", "/collect"])
async def test_another_host_than_those_named_is_not_served(relay_with, path):
    relay = relay_with(hosts=("gw.shop.example",))

    answer = await relay.ask("POST", path, body=LEAD, headers={"host": "other.example", **CORS})

    assert (421, "unknown_host", []) == (answer.status, answer.error_code, relay.events)
    assert ["unknown_host"] == relay.turned_away


@pytest.mark.parametrize("host", ["gw.shop.example", "GW.shop.example.:8443", "a.shop.test", ""])
async def test_a_supervisor_may_ask_by_any_name_and_others_by_those_named(relay_with, host):
    relay = relay_with(hosts=("gw.shop.example", "*.shop.test"))

    assert 200 == (await relay.ask("GET", "/healthy", headers={"host": host})).status
    assert 200 == (await relay.ask("GET", "/readyz", headers={"host": host})).status
    assert (204 if host else 421) == (await relay.ask("GET", HIT, headers={"host": host})).status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "http://www.shop.example"}, {"origin": "null"},
        {"origin": "https://www.shop.example.evil.example"}, {"origin": "https://xshop.test"},
        {"referer": "https://evil.example/www.shop.example"}, {"referer": "https://[::1"},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"), [("GET", HIT), ("POST", "/data"), ("OPTIONS", "/data"), ("POST", "/mp/collect")]
)
async def test_a_page_of_another_site_than_those_named_may_not_send(relay_with, headers, method, path):
    relay = relay_with(origins=("https://www.shop.example", "https://*.shop.test"))

    answer = await relay.ask(method, path, body=LEAD, headers=headers)

    assert (403, "foreign_origin", []) == (answer.status, answer.error_code, relay.events)
    assert answer.header("access-control-allow-origin") is None
    assert ["foreign_origin"] == relay.turned_away


@pytest.mark.parametrize(
    "headers",
    [{}, CORS, {"origin": "https://a.b.shop.test"}, {"referer": "https://www.shop.example/cart"},
     {"origin": "https://www.shop.example:443"}],
)  # fmt: skip
async def test_pages_of_the_sites_named_and_servers_may_send(relay_with, headers):
    relay = relay_with(origins=("https://www.shop.example", "https://*.shop.test"))

    assert 204 == (await relay.ask("GET", HIT, headers=headers)).status


async def test_an_address_that_sends_too_fast_is_told_to_wait_and_a_page_may_read_it(relay_with):
    relay = relay_with(limits={"requests_per_address_per_s": 5})

    statuses = [(await relay.ask("GET", HIT, headers=CORS)).status for _ in range(12)]
    answer = await relay.ask("GET", HIT, headers=CORS)

    assert [204] * 10 + [429] * 2 == statuses
    assert (429, "rate", "1") == (answer.status, answer.error_code, answer.header("retry-after"))
    assert "https://www.shop.example" == answer.header("access-control-allow-origin")
    assert ["rate"] * 3 == relay.turned_away
    assert 204 == (await relay.ask("GET", HIT, peer="8.8.8.8")).status
    assert 200 == (await relay.ask("GET", "/healthy")).status
