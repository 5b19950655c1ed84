"""Dead letters and ids of several files, put together to what is alike."""

from tikrelay.app.groups import MOST_REPEATED, find_repeats, group_letters, newest_of
from tikrelay.outbox.figures import Id, Letters
from tikrelay.outbox.store import MOST_GROUPS

ONE, OTHER = "outbox-000.db", "outbox-001.db"


def letters(count: int = 1, *, at: float = 1.0, code: int | None = 40002, message: str = "", **more) -> Letters:
    about = {"destination": "shop", "event": "Lead", "reason": "refused", "oldest_at": at, "newest_at": at, "newest": 7}
    return Letters(count=count, code=code, message=message, **{**about, **more})


def event_id(key: int, text: str, *, to: str = "shop", event: str = "Purchase") -> Id:
    return Id(key, to, event, text)


def test_letters_of_two_files_that_died_of_the_same_are_one_group_and_the_newest_speaks_for_it():
    first = letters(2, at=5.0, message="the first words", newest=3)
    last = letters(3, at=9.0, message="the last words", newest=8)

    for by_file in ({ONE: [first], OTHER: [last]}, {OTHER: [last], ONE: [first]}):
        (group,) = group_letters(by_file)

        assert (5, 5.0, 9.0) == (group.count, group.oldest_at, group.newest_at)
        assert ("the last words", "001-8") == (group.message, group.ref)
        assert group.words.startswith("a field has a value")


def test_another_reason_code_event_or_destination_is_another_group():
    differing = [
        letters(),
        letters(code=None),
        letters(code=40000),
        letters(reason="too_old"),
        letters(event="Purchase"),
        letters(destination="other"),
    ]

    assert len(differing) == len(group_letters({ONE: differing}))


def test_the_largest_groups_come_first_and_not_more_than_a_page_holds():
    groups = group_letters({ONE: [letters(number + 1, code=number) for number in range(MOST_GROUPS + 5)]})

    assert list(range(MOST_GROUPS + 5, 5, -1)) == [group.count for group in groups]


def test_an_id_that_lies_in_two_files_is_doubled():
    found = find_repeats({ONE: [event_id(1, "R-1")], OTHER: [event_id(2, "R-1"), event_id(3, "R-2")]})

    ((ids, count, refs),) = [(one.ids, one.count, one.refs) for one in found.doubled]
    assert (["R-1"], 2, ["001-2", "000-1"]) == (ids, count, refs)
    assert [] == found.by_case


def test_one_id_for_two_events_or_two_destinations_repeats_nothing():
    ids = [event_id(1, "R-1"), event_id(2, "R-1", event="Lead"), event_id(3, "R-1", to="other")]

    assert ([], [], False) == find_repeats({ONE: ids})


def test_ids_that_differ_in_case_alone_are_told_apart_from_doubled_ones():
    found = find_repeats({ONE: [event_id(1, "r-1"), event_id(2, "R-1"), event_id(3, "STRASSE")]})

    assert [] == found.doubled
    assert [(["R-1", "r-1"], 2)] == [(one.ids, one.count) for one in found.by_case]


def test_of_many_repeats_the_most_frequent_are_told_with_some_of_their_events():
    often = [event_id(key, "often") for key in range(30)]
    twice = [event_id(100 + key, f"R-{key // 2}") for key in range(2 * MOST_REPEATED)]

    found = find_repeats({ONE: often + twice})

    assert (MOST_REPEATED, True) == (len(found.doubled), found.more)
    assert (30, 10) == (found.doubled[0].count, len(found.doubled[0].refs))
    assert not find_repeats({ONE: twice}).more


def test_of_all_files_together_the_newest_ids_are_looked_at():
    by_file = {ONE: [event_id(4, "d"), event_id(1, "a")], OTHER: [event_id(3, "c"), event_id(2, "b")]}

    assert {ONE: ["d"], OTHER: ["c"]} == {
        file: [one.event_id for one in ids] for file, ids in newest_of(by_file, 2).items()
    }
