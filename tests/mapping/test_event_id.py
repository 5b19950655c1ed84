"""The event id: made once, the same for a repeat, another for anything else."""

import hashlib

import pytest

from tikrelay.mapping.event_id import derived_id, harmless_id

HIT = "dl=https%3A%2F%2Fshop.example%2F"


def test_the_pages_own_id_comes_first(web):
    (event,) = web(f"{HIT}&en=purchase&ep.event_id=page-7&ep.transaction_id=R-1")

    assert "page-7" == event["event_id"]


def test_an_explicit_id_wins_over_the_pages(web):
    (event,) = web(f"{HIT}&en=purchase&ep.event_id=page-7&ep.x-ttq-event-id=mine")

    assert "mine" == event["event_id"]


@pytest.mark.parametrize("name", ["purchase", "PlaceAnOrder", "CompletePayment", "Purchase", "PURCHASE"])
def test_a_purchase_has_its_orders_id(web, name):
    (event,) = web(f"{HIT}&en={name}&ep.transaction_id=R-1")

    assert ("R-1", "R-1") == (event["event_id"], event["properties"]["order_id"])


@pytest.mark.parametrize("name", ["refund", "add_payment_info", "begin_checkout"])
def test_another_event_of_an_order_has_not(web, name):
    (event,) = web(f"{HIT}&en={name}&ep.transaction_id=R-1")

    assert "R-1" != event["event_id"]
    assert "R-1" == event["properties"]["order_id"]


def test_an_empty_id_counts_as_none(web):
    (event,) = web(f"{HIT}&en=purchase&ep.event_id=&ep.transaction_id=R-1")

    assert "R-1" == event["event_id"]


def test_a_number_becomes_a_text(posted):
    (event,) = posted("/data", '{"event_name": "purchase", "transaction_id": 1001}')

    assert ("1001", "1001") == (event["event_id"], event["properties"]["order_id"])


def test_the_same_hit_derives_the_same_id(web):
    assert web(f"{HIT}&en=contact")[0]["event_id"] == web(f"{HIT}&en=contact")[0]["event_id"]


@pytest.mark.parametrize(
    "other",
    ["tid=G-OTHER", "cid=11.22", "_p=2", "_s=2", "dl=https%3A%2F%2Fshop.example%2Fb", "en=subscribe"],
)
def test_whatever_tells_two_hits_apart_tells_their_ids_apart(web, other):
    """A later parameter of the same name counts."""
    assert web(f"{HIT}&en=contact")[0]["event_id"] != web(f"{HIT}&en=contact&{other}")[0]["event_id"]


def test_two_lines_of_a_batch_differ_even_where_they_are_the_same(web):
    first, second = web(HIT, lines="en=contact\r\nen=contact")

    assert first["event_id"] != second["event_id"]


@pytest.mark.parametrize("first", ["gcs=G100", "gcd=13p3p3p3p5l1"])
def test_the_repeat_after_a_consent_update_carries_the_id_of_the_first(web, first):
    settings = {"consent_rule": "ignore"}
    said = "en=contact&ep.form=Newsletter"
    (before,) = web(f"{HIT}&{said}&{first}", settings=settings)
    (after,) = web(f"{HIT}&_s=3&{said}&gcs=G111&gcu=1&ep.user_data.email=ann%40shop.example", settings=settings)
    (in_a_batch,) = web(f"{HIT}&_s=4", lines=f"{said}&gcs=G111&gcu=1&sst.gcut=3", settings=settings)

    assert before["event_id"] == after["event_id"] == in_a_batch["event_id"]


@pytest.mark.parametrize("other", ["ep.form=Support", "pr1=idA", "epn.value=1"])
def test_what_the_site_said_tells_two_events_before_the_choice_apart(web, other):
    settings = {"consent_rule": "ignore"}
    first, second = (web(f"{HIT}&en=contact&gcs=G100{more}", settings=settings)[0] for more in ("", f"&{other}"))

    assert first["event_id"] != second["event_id"]


def test_a_second_click_before_the_choice_has_an_id_of_its_own(web):
    """Within one request; over several the memory of the worker counts (tests/collect/test_repeats.py)."""
    settings = {"consent_rule": "ignore"}
    first, second = web(f"{HIT}&gcs=G100", lines="en=contact\r\nen=contact", settings=settings)
    repeats = web(f"{HIT}&_s=2&gcs=G111&gcu=1", lines="en=contact\r\nen=contact", settings=settings)

    assert first["event_id"] != second["event_id"]
    assert [first["event_id"], second["event_id"]] == [event["event_id"] for event in repeats]


def test_the_id_of_any_other_hit_is_what_it_always_was(web):
    """Two versions side by side, or one after the other, must give a hit the same id."""
    text = '["G-SHOP", "10.20", "1", "contact", "https://shop.example/", "1", 0]'
    (event,) = web(f"{HIT}&en=contact&gcs=G111&ep.form=Newsletter")

    assert hashlib.sha256(text.encode()).hexdigest()[:32] == event["event_id"]


def test_number_and_content_count_only_together_with_a_page(event):
    first, second = (derived_id(event(key={"page_id": "1", "content": "c", "nth": nth})) for nth in (0, 1))

    assert first != second
    assert derived_id(event(key={"content": "c", "nth": 1})) is None


def test_two_events_after_the_update_still_differ_by_name(web):
    assert web(f"{HIT}&en=contact&gcu=1")[0]["event_id"] != web(f"{HIT}&en=search&gcu=1")[0]["event_id"]


def test_a_hit_with_consent_from_the_start_has_its_place_in_its_id(web):
    assert web(f"{HIT}&en=contact&gcs=G111")[0]["event_id"] != web(f"{HIT}&en=contact&gcu=1")[0]["event_id"]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("/mp/collect?measurement_id=G-1", '{"client_id": "1.2", "events": [{"name": "contact"}]}'),
        ("/data", '{"event_name": "contact", "client_id": "1.2"}'),
    ],
)
def test_a_source_without_a_pages_count_gets_the_id_made_for_it(posted, url, text):
    assert "fallback" == posted(url, text)[0]["event_id"]


def test_an_id_is_derived_from_a_page_id_alone(event):
    assert None is derived_id(event(key={"measurement_id": "G-1", "client_id": "1"}))
    assert 32 == len(derived_id(event(key={"page_id": "1"})) or "")


@pytest.mark.parametrize(
    "text",
    [
        "R-1001",
        "0049151555012345",
        "004915155501234",
        "0012345678905",
        "ean-0012345678905",
        "a" * 64,
        "100%",
        "x@y",
        "1+1",
        "2026-11-22T10:12:25+01:00",
        "SO-00012345",
        "R2lkOi8vb3JkZXIvMTIz=",
    ],
)
def test_an_ordinary_id_stays_as_it_is(text):
    assert text == harmless_id(text)


@pytest.mark.parametrize(
    "text",
    ["ann@shop.example", "cart-ann%40shop.example", "+4915155501234", "%2B49 151 55501234", "0049 151 55501234",
     "0049-151-55501234", "id-004915155501234", "ann\uff20shop.example", "ann&#64;shop.example", "\uff0b4915155501234"],
)  # fmt: skip
def test_an_id_that_is_somebodys_address_is_hashed(body, sha256, text):
    assert sha256(text) == body(data={"event_id": text})["event_id"]


def test_an_id_too_long_for_anybody_is_left_for_the_next(body, kinds):
    data = {"event_id": "x" * 1025, "transaction_id": "R-1"}

    assert "R-1" == body("purchase", data)["event_id"]
    assert ("unusable", "event_id") in kinds("purchase", data)


@pytest.mark.parametrize(
    "text", ["0049 151 55501234", "0049-151-55501234", "ann\uff20shop.example", "ann&#64;shop.example"]
)
def test_an_id_that_is_hashed_is_the_same_wherever_it_stands(body, sha256, text):
    data = {"transaction_id": text, "shop_id": text, "items": [{"item_id": text}], "currency": "EUR"}
    made = body("purchase", data)
    properties = made["properties"]
    found = [made["event_id"], properties["order_id"], properties["shop_id"], *properties["content_ids"]]

    assert [sha256(text)] * 4 == found
