"""The tables of an outbox file, and its migrations."""

import signal
import subprocess
import sys

import pytest

from tikrelay.base.errors import OutboxBroken, OutboxUnavailable
from tikrelay.outbox.database import Database
from tikrelay.outbox.schema import APPLICATION_ID, MIGRATIONS, VERSION, migrate, prepare
from tikrelay.outbox.waiting import OF_ONE_CODE, TESTS

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from tikrelay.outbox.database import Database
from tikrelay.outbox.schema import prepare
database = Database(Path(sys.argv[1]))
left = int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return True
database._connection.exec_trace = count
prepare(database)
"""
TABLES = {"waiting", "dead", "counts", "delivered", "calls", "begun", "figures", "tallies", "traces"}
SECOND_STEP = ("ALTER TABLE waiting ADD COLUMN shade TEXT", "UPDATE waiting SET shade = 'grey'")


@pytest.fixture
def database(path):
    opened = Database(path)
    yield opened
    opened.close()


def tables(database):
    return {name for (name,) in database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_a_new_file_is_brought_to_the_newest_version(database):
    prepare(database)

    assert TABLES == tables(database)
    assert VERSION == database.pragma("user_version")
    assert APPLICATION_ID == database.pragma("application_id")


def test_every_commit_is_synced_into_a_log_that_can_give_room_back(database):
    prepare(database)

    assert "wal" == database.pragma("journal_mode")
    assert 2 == database.pragma("synchronous")
    assert 2 == database.pragma("auto_vacuum")
    assert 1 == database.pragma("secure_delete")


def test_preparing_a_prepared_file_changes_nothing(database):
    prepare(database)
    before = database.value("SELECT group_concat(sql) FROM sqlite_schema")
    prepare(database)

    assert before == database.value("SELECT group_concat(sql) FROM sqlite_schema")


def test_a_newer_file_is_refused_with_both_versions_named(path, database):
    prepare(database)
    database.pragma("user_version", VERSION + 1)

    with pytest.raises(OutboxBroken, match=rf"{path} was written by a newer.*format {VERSION + 1}.*knows {VERSION}\)"):
        prepare(database)


@pytest.mark.parametrize("version", [0, VERSION, VERSION + 1])
def test_a_database_of_another_program_is_refused_whatever_its_version(database, version):
    database.run("CREATE TABLE notes (text)")
    database.pragma("user_version", version)

    with pytest.raises(OutboxBroken, match="a database of another program"):
        prepare(database)

    assert {"notes"} == tables(database)


def test_a_disk_on_which_no_log_can_be_kept_is_refused(database):
    database.close()
    in_memory = Database(":memory:")  # has no log, as some network disks have none

    with pytest.raises(OutboxUnavailable, match=r"journal_mode memory.*local disk"):
        prepare(in_memory)

    in_memory.close()


@pytest.mark.parametrize("bad", range(4))
def test_a_step_that_fails_at_any_statement_leaves_the_older_file(database, bad):
    prepare(database)
    database.run("INSERT INTO counts VALUES ('dead', 'shop', 'refused', '', 3)")
    statements = [*SECOND_STEP, "CREATE TABLE tints (name)"]
    statements.insert(bad, "SELECT no_such_function()")

    with pytest.raises(Exception, match="no_such_function"):
        migrate(database, (*MIGRATIONS, tuple(statements)))

    assert VERSION == database.pragma("user_version")
    assert "shade" not in database.value("SELECT group_concat(sql) FROM sqlite_schema")
    assert 3 == database.value("SELECT n FROM counts")


def test_an_older_file_becomes_a_newer_one_with_what_waits_in_it(database):
    prepare(database)
    database.run("INSERT INTO waiting VALUES (1, 'shop', 'Purchase', 'e1', 1, 0, x'00', 0, 0, 0, NULL, '', NULL, x'')")
    migrate(database, (*MIGRATIONS, SECOND_STEP))

    assert VERSION + 1 == database.pragma("user_version")
    assert [("e1", "grey")] == database.rows("SELECT event_id, shade FROM waiting")


def shapes(database):
    return set(database.rows("SELECT type, name FROM sqlite_schema")), {
        table: database.rows(f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')")
        for table in sorted(TABLES)
    }


def test_a_file_of_an_older_version_becomes_one_as_a_new_file_is(path, database, write_older):
    write_older(path)
    new = Database(path.with_name("new.db"))
    prepare(new)
    expected = shapes(new)
    new.close()
    before = database.pragma("user_version")
    prepare(database)

    assert 0 < before < VERSION == database.pragma("user_version")
    assert expected == shapes(database)
    assert "ok" == database.value("PRAGMA integrity_check")


def plan(database, statement, *bindings):
    return " ".join(row[3] for row in database.rows(f"EXPLAIN QUERY PLAN {statement}", bindings))


@pytest.mark.parametrize("comparison", ["not_before <= ?", "not_before > ?"])
def test_events_of_one_code_and_the_next_code_are_found_by_an_index_without_sorting(database, comparison):
    prepare(database)
    end = f" AND {comparison} ORDER BY not_before, id LIMIT ?"
    of_one_code = plan(database, OF_ONE_CODE + end, "shop", b"", 0, 1)
    tests = plan(database, TESTS + end, "shop", 0, 1)

    assert "SEARCH waiting USING INDEX waiting_due (destination=? AND test_event_code=? AND not_before" in of_one_code
    assert "SEARCH waiting USING INDEX waiting_tests (destination=? AND not_before" in tests
    assert "TEMP B-TREE" not in of_one_code + tests
    partial = dict(database.rows("SELECT name, partial FROM pragma_index_list('waiting')"))
    assert {"waiting_due": 0, "waiting_tests": 1} == partial  # tests are found beside any number of other events


def killed_at(path, statement):
    """Let a real process die before one of the statements that make the file; False when it had no such statement."""
    child = subprocess.run([sys.executable, "-c", KILLED_AT, str(path), str(statement)], check=False)
    assert child.returncode in (0, -signal.SIGKILL)
    return child.returncode != 0


def test_a_file_whose_making_was_cut_off_anywhere_is_made_whole(tmp_path):
    found = []
    for statement in range(100):
        path = tmp_path / f"outbox-{statement:03}.db"
        if not killed_at(path, statement):
            break
        database = Database(path)
        prepare(database)
        found.append((tables(database), database.pragma("user_version"), database.pragma("auto_vacuum")))
        database.close()

    assert len(found) > 12
    assert [(TABLES, VERSION, 2)] * len(found) == found


def test_a_migration_cut_off_anywhere_loses_nothing(tmp_path, write_older):
    found = []
    for statement in range(100):
        path = tmp_path / f"outbox-{statement:03}.db"
        write_older(path)
        if not killed_at(path, statement):
            break
        database = Database(path)
        prepare(database)
        rows = database.rows("SELECT event_id FROM waiting UNION ALL SELECT event_id FROM dead")
        found.append((sorted(rows), database.value("SELECT sum(n) FROM counts"), database.pragma("user_version")))
        database.close()

    assert len(found) > 10
    assert [([(f"R-{n}",) for n in (1, 10, 2, 3, 4, 5)], 12, VERSION)] * len(found) == found
