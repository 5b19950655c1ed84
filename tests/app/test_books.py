"""The books of several workers and files added up."""

from tikrelay.app.books import add_up, summary


def answer(state: str, *, accepted: int, oldest: float) -> dict[str, object]:
    books = {
        "received": [["shop", "ga4_web", "purchase", 5], ["shop", "data", "lead", 1]],
        "accepted": [["shop", accepted]],
        "waiting": [["shop", 1]],
        "dead": [["shop", "refused", 1]],
        "dropped": [["shop", "no_mapping", 2]],
        "oldest_waiting": [["shop", oldest]],
    }
    return {"books": [books], "destinations": {"shop": {"state": state, "reason": state}}}


def test_sums_and_the_worst_state_count():
    counts, states = add_up([answer("flowing", accepted=2, oldest=50.0), answer("paused", accepted=2, oldest=40.0)])

    told = summary(counts, states)

    assert {"received": 12, "accepted": 4, "waiting": 2, "dead": 2, "dropped": 4} == told["books"]
    assert "paused" == told["destinations"]["shop"]["state"]
    assert {"shop": 40.0} == counts.oldest_waiting


def test_a_destination_that_was_removed_from_the_settings_keeps_its_books():
    counts, _ = add_up([answer("flowing", accepted=2, oldest=50.0)])

    assert "removed" == summary(counts, {})["destinations"]["shop"]["state"]
