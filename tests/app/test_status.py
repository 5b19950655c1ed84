"""How each destination is, as the status tells."""

from tikrelay.app.books import worst_states
from tikrelay.app.status import add_all, tell_destinations
from tikrelay.outbox.store import Books
from tikrelay.tiktok.answers import explain_pause
from tikrelay.watch.status import Counts, DestinationStatus

BOOKS = Books(
    received={("shop", "ga4_web", "purchase"): 10, ("shop", "data", "lead"): 2, ("other", "data", "lead"): 1},
    accepted={"shop": 4},
    waiting={"shop": 2, "other": 1},
    dead={("shop", "refused"): 1, ("shop", "too_old"): 1},
    replayed={("shop", "refused"): 3},
    dropped={("shop", "no_mapping"): 4},
    oldest_waiting={"shop": 40.0, "other": 90.0},
)


def told(states: dict[str, dict[str, str]]) -> dict[str, DestinationStatus]:
    return tell_destinations(BOOKS, states, new_dead={"shop": 1}, traits={"shop": {"all": 7}}, now=100.0)


def test_a_destination_is_told_with_its_books_and_with_what_is_wrong_with_it():
    assert told({"shop": {"state": "paused", "reason": "token_invalid"}})["shop"] == DestinationStatus(
        received=12,
        accepted=4,
        waiting=2,
        dead=2,
        dropped=4,
        state="paused",
        reason="token_invalid",
        explained=explain_pause("token_invalid"),
        dead_reasons={"refused": 1, "too_old": 1},
        drop_reasons={"no_mapping": 4},
        oldest_waiting_s=60.0,
        new_dead=1,
        traits={"all": 7},
    )


def test_the_sums_are_those_of_all_destinations():
    assert Counts(received=13, accepted=4, waiting=3, dead=2, dropped=4) == add_all(told({}).values())


def test_a_destination_that_was_removed_from_the_settings_keeps_its_books():
    shop = told({})["shop"]

    assert ("removed", 12) == (shop.state, shop.received)


def test_a_destination_of_the_settings_is_unknown_and_not_removed_while_no_worker_answers():
    rows = told(worst_states([], named=["shop", "new"]))

    assert {"shop": "unknown", "new": "unknown", "other": "removed"} == {name: row.state for name, row in rows.items()}
