"""Which id a request goes by, and where it is told."""

import re

import pytest

from tikrelay.base.happenings import NotStored

HIT = "/g/collect?v=2&tid=G-SHOP&cid=1.2&en=purchase"
LEAD = b'{"event_name":"lead"}'
MP = b'{"client_id":"1.2","events":[{"name":"purchase"}]}'
MADE = re.compile(r"[0-9a-f]{16}")


@pytest.mark.parametrize(("path", "body"), [("/data", LEAD), ("/mp/collect", MP), ("/debug/mp/collect", MP)])
async def test_a_receipt_carries_an_id_made_for_this_request_alone(relay, path, body):
    ids = [(await relay.ask("POST", path, body=body)).header("x-request-id") for _ in range(2)]

    assert all(MADE.fullmatch(one) for one in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("url", ["/nothing", "/data?x=1", "/g/collect?en=a"])
async def test_an_error_says_the_same_id_in_its_header_and_in_its_body(relay, url):
    answer = await relay.ask("GET", url)

    assert MADE.fullmatch(answer.header("x-request-id"))
    assert answer.header("x-request-id") == answer.json()["error"]["request_id"]
    assert str(len(answer.body)) == answer.header("content-length")


@pytest.mark.parametrize("url", [HIT, "/healthy"])
async def test_an_answer_without_json_needs_no_id(relay, url):
    assert (await relay.ask("GET", url)).header("x-request-id") is None


@pytest.mark.parametrize("given", ["req-1", "A.b_c-9", "x" * 64])
async def test_the_id_that_a_trusted_proxy_gives_is_taken(relay_with, given):
    relay = relay_with(trusted_proxies=("10.0.0.0/8",))

    answer = await relay.ask("POST", "/data", body=LEAD, headers={"x-request-id": given}, peer="10.0.0.2")

    assert given == answer.header("x-request-id")


@pytest.mark.parametrize(
    ("given", "peer"),
    [
        ("req-1", "8.8.4.4"), ("req-1", None), ("", "10.0.0.2"), ("x" * 65, "10.0.0.2"),
        ("ann@shop.example", "10.0.0.2"), ("a b", "10.0.0.2"),
        ("req-1\r\nset-cookie: a=b", "10.0.0.2"), ("\u0661", "10.0.0.2"),
    ],
)  # fmt: skip
async def test_any_other_is_not(relay_with, given, peer):
    relay = relay_with(trusted_proxies=("10.0.0.0/8",))

    headers = {"x-request-id": given.encode().decode("latin-1")}
    answer = await relay.ask("POST", "/data", body=LEAD, headers=headers, peer=peer)

    assert MADE.fullmatch(answer.header("x-request-id"))


async def test_what_a_request_causes_to_be_logged_carries_its_id(relay):
    relay.is_full = True
    refused = await relay.ask("GET", HIT)
    relay.is_full, relay.is_broken = False, True
    broken = await relay.ask("GET", HIT)

    assert [refused.header("x-request-id")] == [
        one.request_id for one in relay.happenings if isinstance(one, NotStored)
    ]
    assert [broken.header("x-request-id")] == [defect.request_id for defect in relay.defects]
