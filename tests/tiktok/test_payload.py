import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.tiktok.payload import Envelope, call_body

HEAD = Envelope(event_source="web", event_source_id="C0DEMO")


def test_stored_events_go_out_byte_for_byte():
    odd = b'{"event":"Lead" , "event_id":"\\u00e9"}'

    assert odd in call_body(HEAD, [b"{}", odd])


def test_the_test_code_stands_at_the_top_and_only_when_there_is_one():
    with_code = msgspec.structs.replace(HEAD, test_event_code="TEST123")

    assert msgspec.json.decode(call_body(with_code, [b"{}"])) == {
        "event_source": "web",
        "event_source_id": "C0DEMO",
        "test_event_code": "TEST123",
        "data": [{}],
    }
    assert b"test_event_code" not in call_body(HEAD, [b"{}"])


@given(
    source_id=st.text(max_size=30),
    code=st.text(max_size=10),
    ids=st.lists(st.text(max_size=10), min_size=1, max_size=5),
)
def test_any_text_in_the_head_leaves_the_body_json(source_id, code, ids):
    envelope = Envelope(event_source="crm", event_source_id=source_id, test_event_code=code)
    body = msgspec.json.decode(call_body(envelope, [msgspec.json.encode({"event_id": one}) for one in ids]))

    assert source_id == body["event_source_id"]
    assert ids == [event["event_id"] for event in body["data"]]
