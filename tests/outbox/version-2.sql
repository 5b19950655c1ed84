-- An outbox file as version 2 of its tables left it: six events for shop, of which one was accepted, one is to be tried
-- again, one is a test and two are dead; one event for other; one drop. Written by the program of that version,
-- checksums included.
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = 2;
PRAGMA application_id = 1953065842;
PRAGMA journal_mode = wal;
BEGIN;
CREATE TABLE waiting (
    id            INTEGER PRIMARY KEY,
    destination   TEXT NOT NULL,
    event         TEXT NOT NULL,
    event_id      TEXT NOT NULL,
    format        INTEGER NOT NULL,
    checksum      INTEGER NOT NULL,
    body          BLOB NOT NULL,
    received_at   REAL NOT NULL,
    not_before    REAL NOT NULL DEFAULT 0,
    attempts      INTEGER NOT NULL DEFAULT 0,
    unknown_since REAL,
    test_event_code TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE dead (
    id            INTEGER PRIMARY KEY,
    destination   TEXT NOT NULL,
    event         TEXT NOT NULL,
    event_id      TEXT NOT NULL,
    format        INTEGER NOT NULL,
    checksum      INTEGER NOT NULL,
    body          BLOB NOT NULL,
    received_at   REAL NOT NULL,
    died_at       REAL NOT NULL,
    attempts      INTEGER NOT NULL,
    unknown_since REAL,
    reason        TEXT NOT NULL,
    code          INTEGER,
    message       TEXT NOT NULL,
    request_id    TEXT NOT NULL,
    test_event_code TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE counts (
    kind        TEXT NOT NULL,
    destination TEXT NOT NULL,
    first       TEXT NOT NULL,
    second      TEXT NOT NULL,
    n           INTEGER NOT NULL,
    PRIMARY KEY (kind, destination, first, second)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_due ON waiting (destination, test_event_code, not_before);
CREATE INDEX waiting_tests ON waiting (destination, not_before) WHERE test_event_code <> '';
INSERT INTO counts VALUES
('accepted', 'shop', '', '', 1),
('dead', 'shop', 'refused', '', 1),
('dead', 'shop', 'too_old', '', 1),
('dropped', 'shop', 'no_mapping', '', 1),
('received', 'other', 'ga4_web', 'purchase', 1),
('received', 'shop', 'ga4_web', 'purchase', 6),
('received', 'shop', 'ga4_web', 'scroll', 1);
INSERT INTO dead VALUES
(1795312345250002, 'shop', 'PlaceAnOrder', 'R-2', 1, 31956870,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-2","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312350.25, 1, NULL, 'refused', 40002, 'Invalid value for value.', '2026112212000001', ''),
(1795312345250003, 'shop', 'PlaceAnOrder', 'R-3', 1, 1842785758,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-3","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312350.25, 0, NULL, 'too_old', NULL, '', '', '');
INSERT INTO waiting VALUES
(1795312345250001, 'shop', 'PlaceAnOrder', 'R-1', 1, 3048524142,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-1","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312410.25, 1, 1795312350.25, ''),
(1795312345250004, 'shop', 'PlaceAnOrder', 'R-4', 1, 2989503511,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-4","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 0.0, 0, NULL, ''),
(1795312345250005, 'shop', 'PlaceAnOrder', 'R-5', 1, 1152228810,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-5","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 0.0, 0, NULL, 'TEST1'),
(1795312345250006, 'other', 'PlaceAnOrder', 'R-10', 1, 2159037354,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-10","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 0.0, 0, NULL, '');
PRAGMA user_version = 2;
COMMIT;
