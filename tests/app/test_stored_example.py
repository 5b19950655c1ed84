"""A stored event as an example file: it comes true, makes the event again, and nobody real is in it."""

import json
import tomllib
import zlib

import msgspec
import pytest

from tikrelay.app.examples.file import parse_example
from tikrelay.app.examples.run import names, read_example, rules_of, run_example, settings_of
from tikrelay.app.examples.stored import write_example
from tikrelay.app.hits.request import read_requests
from tikrelay.app.load import parse_settings
from tikrelay.base.errors import InputRefused
from tikrelay.event import DestinationName, EventId
from tikrelay.mapping.explain import explain
from tikrelay.mapping.trace import read_trace, write_trace
from tikrelay.outbox.store import Entry
from tikrelay.tools.examples.diff import differences

NOT_TOLD = "What is expected differs from what was stored in "
SETTINGS = parse_settings("", None, {}, to_send=False).config


def stored_of(name: str, *, traced: bool = True) -> list[Entry]:
    """What would be stored of an example of the repository."""
    example = read_example(name)
    settings = settings_of(example)
    (found,) = read_requests([example.request], received_at=1795312345.0, data_key=settings.sources.data_key)
    explained = [
        (event, one)
        for event in found.events
        for rules in rules_of(settings)
        for one in explain(event, rules, fallback_id="made")
    ]
    return [
        Entry(
            key=1,
            state="dead",
            destination=DestinationName(one.destination),
            event=one.tiktok["event"],
            event_id=EventId(one.tiktok["event_id"]),
            received_at=1795312345.0,
            body=msgspec.json.encode(one.tiktok),
            test_event_code=one.test_event_code,
            trace=write_trace(event, one) if traced else b"",
        )
        for event, one in explained
        if one.tiktok
    ]


def differing(text: str) -> list[str]:
    """In which fields the file says that it differs from what was stored."""
    told = [line.removeprefix(f"# {NOT_TOLD}").rstrip(".") for line in text.splitlines() if NOT_TOLD in line]
    return [field for line in told for field in line.split(", ")]


def given(text: str) -> dict:
    return json.loads(tomllib.loads(text)["request"]["body"])


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("name", names()[::9])
def test_a_file_made_of_a_stored_event_comes_true(name, traced):
    settings = settings_of(read_example(name))
    for entry in stored_of(name, traced=traced):
        example = parse_example(write_example(entry, settings), "made")

        assert example.expect is not None
        assert [] == list(differences(example, run_example(example, settings)))


@pytest.mark.parametrize(
    "name",
    ["x-ttq-in-a-hit", "money-comma-and-dot", "contents-sources", "vehicle-used-car", "travel-hotel", "search",
     "contents-id-as-number", "consent-no-user-data", "page-without-people", "device-hints", "app-names",
     "test-code-in-a-hit", "contents-currency-of-an-item", "time-in-milliseconds"],
)  # fmt: skip
def test_what_can_be_told_is_made_again(name):
    for entry in stored_of(name):
        found = differing(write_example(entry, settings_of(read_example(name))))

        assert [] == [field for field in found if not field.startswith("user.")], found


def test_persons_are_made_up():
    (entry,) = stored_of("purchase")
    text = write_example(entry, SETTINGS)

    assert {"email": "ann@shop.example", "phone_number": "+49 151 555 01234"} == given(text)["user_data"]
    assert ("C-77", "8.8.8.8") == (given(text)["user_id"], given(text)["ip"])
    assert "8.8.4.4" not in text


def test_each_value_stands_where_the_sender_gave_it():
    (entry,) = stored_of("purchase")
    data = given(write_example(entry, SETTINGS))

    assert ("purchase", "R-1001", 19, "EUR") == tuple(
        data[key] for key in ("event_name", "transaction_id", "value", "currency")
    )
    assert "https://shop.example/thanks?ttclid=E.C.P.abc" == data["page_location"]
    assert ["SKU-1"] == [item["content_id"] for item in data["items"]]


def test_without_a_trace_the_file_is_made_of_what_went_out_and_says_so():
    (entry,) = stored_of("purchase", traced=False)
    text = write_example(entry, SETTINGS)

    assert "# No trace of the event is kept" in text
    assert ("PlaceAnOrder", "R-1001", "ann@shop.example") == tuple(
        given(text)[key] for key in ("event_name", "x-ttq-event-id", "x-ttq-ud-email")
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cut": True}, "# Its trace was cut"),
        ({"not_sent": ("coupon",)}, "# Left out, for nothing is made of it: coupon"),
    ],
)
def test_what_is_not_in_the_file_is_told(change, words):
    (entry,) = stored_of("purchase")
    trace = read_trace(entry.trace)
    assert trace is not None
    changed = b"\x01" + zlib.compress(msgspec.msgpack.encode(msgspec.structs.replace(trace, **change)))

    assert words in write_example(msgspec.structs.replace(entry, trace=changed), SETTINGS)
    assert words not in write_example(entry, SETTINGS)


def test_settings_under_which_the_event_is_none_are_told_of():
    (entry,) = stored_of("purchase")
    settings = parse_settings('[mapping.events]\npurchase = ""', None, {}, to_send=False).config
    text = write_example(entry, settings)

    assert "# Under these settings it becomes no PlaceAnOrder" in text
    assert 'dropped = "by_rule"' in text


@pytest.mark.parametrize("name", ["x\n[event]", "'''", '"""\\u0000', "\x1b[31m", "€😀"])
def test_no_name_breaks_the_file(name):
    (entry,) = stored_of("purchase")
    body = msgspec.json.decode(entry.body) | {"event": name, "event_id": name}
    text = write_example(
        msgspec.structs.replace(entry, event=name, body=msgspec.json.encode(body), trace=b""), SETTINGS
    )

    assert parse_example(text, "made").expect is not None


@pytest.mark.parametrize("change", [{"damaged": True}, {"body": b""}, {"body": b"[1]"}, {"body": b"\xff"}])
def test_a_damaged_event_is_refused(change):
    (entry,) = stored_of("purchase")

    with pytest.raises(InputRefused, match="damaged"):
        write_example(msgspec.structs.replace(entry, **change), SETTINGS)
