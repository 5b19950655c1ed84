-- An outbox file as version 3 of its tables left it: what version 2 held, with the calls that were made and the event
-- that was delivered. Written by the program of that version, checksums included.
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
    test_event_code TEXT NOT NULL DEFAULT '',
    replayed_at REAL,
    calls BLOB NOT NULL DEFAULT x''
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
    test_event_code TEXT NOT NULL DEFAULT '',
    replayed_at REAL,
    calls BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE TABLE counts (
    kind        TEXT NOT NULL,
    destination TEXT NOT NULL,
    first       TEXT NOT NULL,
    second      TEXT NOT NULL,
    n           INTEGER NOT NULL,
    PRIMARY KEY (kind, destination, first, second)
) STRICT, WITHOUT ROWID;
CREATE TABLE delivered (
    n               INTEGER PRIMARY KEY,
    id              INTEGER NOT NULL,
    destination     TEXT NOT NULL,
    test_event_code TEXT NOT NULL,
    event           TEXT NOT NULL,
    event_id        TEXT NOT NULL,
    format          INTEGER NOT NULL,
    checksum        INTEGER NOT NULL,
    body            BLOB NOT NULL,
    received_at     REAL NOT NULL,
    delivered_at    REAL NOT NULL,
    attempts        INTEGER NOT NULL,
    unknown_since   REAL,
    replayed_at     REAL,
    request_id      TEXT NOT NULL,
    calls           BLOB NOT NULL
) STRICT;
CREATE TABLE calls (
    id          INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    began_at    REAL NOT NULL,
    events      INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    status      INTEGER,
    code        INTEGER,
    message     TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    seconds     REAL NOT NULL
) STRICT;
CREATE TABLE begun (
    lease       INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    at          REAL NOT NULL,
    keys        BLOB NOT NULL
) STRICT;
CREATE INDEX waiting_due ON waiting (destination, test_event_code, not_before);
CREATE INDEX waiting_tests ON waiting (destination, not_before) WHERE test_event_code <> '';
INSERT INTO calls VALUES
(1795312350250000, 'shop', 1795312345.5, 2, 'retry', NULL, NULL, '', '', 4.5),
(1795312350250001, 'shop', 1795312346.0, 1, 'accepted', 200, 0, 'OK', '2026112212000000', 0.25),
(1795312350250002, 'shop', 1795312347.0, 1, 'refused', 200, 40002, 'Invalid value for value.', '2026112212000001', 0.25);
INSERT INTO counts VALUES
('accepted', 'shop', '', '', 1),
('dead', 'shop', 'refused', '', 1),
('dead', 'shop', 'too_old', '', 1),
('dropped', 'shop', 'no_mapping', '', 1),
('received', 'other', 'ga4_web', 'purchase', 1),
('received', 'shop', 'ga4_web', 'purchase', 6),
('received', 'shop', 'ga4_web', 'scroll', 1);
INSERT INTO dead VALUES
(1795312345250002, 'shop', 'PlaceAnOrder', 'R-2', 2, 1550013619,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-2","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312350.25, 1, NULL, 'refused', 40002, 'Invalid value for value.', '2026112212000001', '', NULL, x'000660d3bae5c412'),
(1795312345250003, 'shop', 'PlaceAnOrder', 'R-3', 2, 810706667,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-3","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312350.25, 0, NULL, 'too_old', NULL, '', '', '', NULL, x'');
INSERT INTO delivered VALUES
(1, 1795312345250000, 'shop', '', 'PlaceAnOrder', 'R-0', 2, 2214670339,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-0","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312350.25, 1, NULL, NULL, '2026112212000000', x'000660d3bae5c410000660d3bae5c411');
INSERT INTO waiting VALUES
(1795312345250001, 'shop', 'PlaceAnOrder', 'R-1', 2, 3895460443,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-1","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 1795312410.25, 1, 1795312350.25, '', NULL, x'000660d3bae5c410'),
(1795312345250004, 'shop', 'PlaceAnOrder', 'R-4', 2, 4021616418,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-4","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 0.0, 0, NULL, '', NULL, x''),
(1795312345250005, 'shop', 'PlaceAnOrder', 'R-5', 2, 1695110014,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-5","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 0.0, 0, NULL, 'TEST1', NULL, x''),
(1795312345250006, 'other', 'PlaceAnOrder', 'R-10', 2, 2966868494,
  CAST('{"event":"PlaceAnOrder","event_time":1795312345,"event_id":"R-10","properties":{"description":"Größe 4"}}' AS BLOB),
  1795312345.25, 0.0, 0, NULL, '', NULL, x'');
PRAGMA user_version = 3;
COMMIT;
