"""The books of several workers and files added up, and what outlives a worker."""

from tikrelay.app.books import Ledger, add_up, worst_states

ONE = {
    "received": [["shop", "ga4_web", "purchase", 5], ["shop", "data", "lead", 1]],
    "accepted": [["shop", 2]],
    "waiting": [["shop", 1]],
    "dead": [["shop", "refused", 1]],
    "replayed": [["shop", "too_old", 3]],
    "dropped": [["shop", "no_mapping", 2]],
    "oldest_waiting": [["shop", 50.0]],
}
OTHER = {**ONE, "oldest_waiting": [["shop", 40.0]]}


def state(word: str) -> dict[str, object]:
    return {"destinations": {"shop": {"state": word, "reason": word}}}


def answer(file: str, hits: int, books: dict[str, object] = ONE) -> dict[str, object]:
    return {
        "outboxes": [file],
        "books": [books],
        "meter": {"hits": [["ga4", "204", hits]], "seconds": [["ga4", 1, 2.5]]},
    }


def test_the_worst_state_counts():
    assert (
        "paused" == worst_states([state("flowing"), state("paused"), state("failing")], named=["shop"])["shop"]["state"]
    )


def test_counts_of_files_are_added_up():
    counts = add_up([ONE, OTHER])

    assert {("shop", "ga4_web", "purchase"): 10, ("shop", "data", "lead"): 2} == counts.received
    assert {"shop": 40.0} == counts.oldest_waiting
    assert {("shop", "too_old"): 6} == counts.replayed


def test_a_file_keeps_its_counts_while_nobody_speaks_for_it():
    ledger = Ledger()
    ledger.note([(1, answer("a", 1)), (2, answer("b", 1))], alive={1, 2})

    ledger.note([(1, answer("a", 1))], alive={1, 2})

    assert len(ledger.books(["a", "b"])) == 2
    assert ledger.never_counted(["a", "b", "c"]) == ["c"]


def test_a_worker_that_ends_leaves_its_counters():
    ledger = Ledger()
    ledger.note([(1, answer("a", 7)), (2, answer("b", 3))], alive={1, 2})
    ledger.note([(1, answer("a", 8)), (3, answer("b", 1))], alive={1, 3})
    ledger.note([(4, answer("a", 1)), (3, answer("b", 2))], alive={3, 4})

    sums = [sum(row[-1] for meter in ledger.meters() for row in meter["hits"])]

    assert sums == [1 + 2 + 3 + 8]
    assert ledger.meters()[-1]["seconds"] == [["ga4", 2.0, 5.0]]


def test_counts_stay_whole_numbers_when_a_worker_ends():
    """Who reads the status takes no 7.0 for a count."""
    ledger = Ledger()
    ledger.note([(1, answer("a", 7))], alive={1})
    ledger.note([(2, answer("a", 1))], alive={2})

    left = ledger.meters()[-1]["hits"]

    assert [int] == [type(row[-1]) for row in left]


def test_a_worker_that_missed_one_question_is_not_counted_twice():
    ledger = Ledger()
    ledger.note([(1, answer("a", 7))], alive={1})
    ledger.note([], alive={1})
    ledger.note([(1, answer("a", 8))], alive={1})

    assert [meter["hits"] for meter in ledger.meters()] == [[["ga4", "204", 8]]]
