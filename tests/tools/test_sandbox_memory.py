"""What the sandbox remembers of events and requests."""

from typing import Any

from tikrelay.tools.sandbox.memory import DEDUPLICATED_FOR_S, MOST_NAMES, OTHER_NAMES, Memory, Request
from tikrelay.tools.sandbox.rules import Event


def accept(memory: Memory, *events: Event, source: str = "C0", now: float = 0.0) -> None:
    memory.accept(list(events), event_source_id=source, test_event_code="", request_id="r", now=now)


def lead(event_id: str | None = "1", raw: bytes = b"{}") -> Event:
    return Event("Lead", event_id, raw)


def copies(memory: Memory) -> list[tuple[int, int, bool]]:
    return [(event.n, event.copies, event.same_body) for event in memory.events(limit=100)]


def request(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "at": 0.0,
        "status": 200,
        "code": 0,
        "message": "OK",
        "request_id": "r",
        "events": 1,
        "token_last4": "",
        "body": b"{}",
        "answer": "0",
        "accepted": True,
    }
    return Request(**{**fields, **changes})


def test_a_repeat_with_the_same_id_and_body_is_one_event():
    memory = Memory()
    accept(memory, lead(), lead())

    assert [(1, 2, True)] == copies(memory)


def test_a_repeat_with_other_bytes_is_seen_and_the_first_stays():
    memory = Memory()
    accept(memory, lead(raw=b'{"a":1}'))
    accept(memory, lead(raw=b'{"a": 1}'))
    accept(memory, lead(raw=b'{"a":1}'))

    assert [(1, 3, False)] == copies(memory)
    assert b'{"a":1}' == bytes(memory.events(limit=1)[0].event)


def test_another_id_name_or_pixel_is_another_event():
    memory = Memory()
    accept(memory, lead(), lead("2"), Event("Contact", "1", b"{}"))
    accept(memory, lead(), source="C1")

    assert [(1, 1, True), (2, 1, True), (3, 1, True), (4, 1, True)] == copies(memory)


def test_an_event_without_an_id_is_never_a_repeat():
    memory = Memory()
    accept(memory, lead(None), lead(None))

    assert [(1, 1, True), (2, 1, True)] == copies(memory)


def test_a_repeat_counts_again_48_hours_after_the_first():
    memory = Memory()
    accept(memory, lead(), now=0.0)
    accept(memory, lead(), now=DEDUPLICATED_FOR_S - 1)
    accept(memory, lead(), now=DEDUPLICATED_FOR_S)
    accept(memory, lead(), now=DEDUPLICATED_FOR_S + 1)

    assert [(1, 2, True), (2, 2, True)] == copies(memory)


def test_pages_follow_each_other_without_gap_or_overlap():
    memory = Memory()
    accept(memory, *[lead(str(number)) for number in range(25)])
    numbers: list[int] = []
    while page := memory.events(after=numbers[-1] if numbers else 0, limit=10):
        numbers += [event.n for event in page]

    assert list(range(1, 26)) == numbers


def test_the_oldest_events_are_forgotten_and_the_counts_stay():
    memory = Memory(most_events=3)
    accept(memory, *[lead(str(number)) for number in range(5)])
    accept(memory, lead("0"))

    assert [4, 5, 6] == [event.n for event in memory.events(limit=10)]
    assert [5, 6] == [event.n for event in memory.events(after=4, limit=10)]
    assert (6, 6) == (memory.counts().accepted_events, memory.counts().unique_events)


def test_the_oldest_requests_are_forgotten_and_the_counts_stay():
    memory = Memory(most_requests=2)
    for number in range(3):
        memory.add_request(request(request_id=str(number)))

    assert ["1", "2"] == [shown.request_id for shown in memory.requests(limit=10)]
    assert 3 == memory.counts().requests


def test_the_newest_requests_are_shown_newest_last():
    memory = Memory()
    for number in range(3):
        memory.add_request(request(request_id=str(number)))

    assert ["1", "2"] == [shown.request_id for shown in memory.requests(limit=2)]


def test_requests_are_counted_by_what_they_were_answered():
    memory = Memory()
    memory.add_request(request())
    memory.add_request(request(code=40002, answer="40002", accepted=False))
    memory.add_request(request(status=None, code=None, answer="reset", accepted=False))

    assert ({"0": 1, "40002": 1, "reset": 1}, 2) == (memory.counts().by_code, memory.counts().refused_requests)


def test_copies_are_counted_by_name():
    memory = Memory()
    accept(memory, lead(), lead(), Event("Contact", "1", b"{}"))

    assert {"Lead": 2, "Contact": 1} == memory.counts().by_event


def test_names_beyond_a_bound_are_counted_together():
    memory = Memory()
    accept(memory, *[Event(f"name{number}", None, b"{}") for number in range(MOST_NAMES + 5)])

    assert 5 == memory.counts().by_event[OTHER_NAMES]


def test_a_body_that_is_no_json_is_shown_as_text():
    memory = Memory()
    memory.add_request(request(body=b"\xff{"))

    assert "\ufffd{" == memory.requests(limit=1)[0].body


def test_clearing_forgets_everything():
    memory = Memory()
    accept(memory, lead())
    memory.add_request(request())
    memory.clear()
    accept(memory, lead())

    assert [(1, 1, True)] == copies(memory)
    assert (0, 1) == (memory.counts().requests, memory.counts().accepted_events)
