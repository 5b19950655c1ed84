"""Whatever TikTok, or somebody in its place, answers: a verdict, never the token, never a yes that was not said."""

import json
import random
from urllib.parse import quote

import msgspec
import pytest

from conftest import SEED
from fuzz.hits import odd_json, spoil
from fuzz.shares import inputs
from tikrelay.base.secret import Secret
from tikrelay.tiktok.answers import CODES, STATUSES, Accepted, judge
from tikrelay.tiktok.api import read_answer

ROW = "B16 answers of TikTok"
TOKEN = "a+token/of=THE-tests%0001"
SPELT = [
    TOKEN,
    quote(TOKEN),
    quote(TOKEN, safe="").lower(),
    TOKEN.upper(),
    "".join(f"%{ord(sign):02x}" for sign in TOKEN),
]
ACCEPTING = {code for code, known in CODES.items() if isinstance(known.verdict, Accepted)}
pytestmark = pytest.mark.timeout(7200)


def odd_code(rng: random.Random):
    near = rng.choice([*CODES, 0, 1, -1, 20000, 49999, 10**12])
    return rng.choice([near, str(near), float(near), f" {near}", f"{near}.0", None, True, [near], {"code": near}])


def answer_body(rng: random.Random) -> bytes:
    told = {
        "code": odd_code(rng),
        "message": rng.choice(
            ["OK", f"no such token {rng.choice(SPELT)}", "Batch.3.user: x\r\n\x1b[2J", odd_json(rng)]
        ),
        "request_id": rng.choice(["2026", rng.choice(SPELT) * 9, odd_json(rng)]),
        "data": rng.choice(
            [{}, [], {"failed_events": [{"index": rng.choice([0, 3, -1, 10**9, "3", None])}]}, odd_json(rng)]
        ),
    }
    kept = {key: value for key, value in told.items() if rng.random() < 0.8}
    raw = json.dumps(rng.choice([kept, kept, kept, [kept], odd_json(rng)])).encode()
    page = f"<html><title>502</title>{rng.choice(SPELT)}</html>".encode()
    return rng.choice(
        [raw, raw, raw, raw[: rng.randrange(len(raw) + 1)], spoil(rng, raw), page, b"", b"\xff\xfe" + raw]
    )


def test_no_answer_is_taken_for_a_yes_that_tiktok_did_not_say(tried):
    accepted = refused = 0
    for number in range(count := inputs(ROW, few=1500)):
        rng = random.Random(f"{SEED} {ROW} {number}")
        status = rng.choice([*STATUSES, 200, 200, 200, 299, 301, 520, 999])
        after = rng.choice([None, "1", "-1", "1e9", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "\x00", "9" * 400])
        raw = answer_body(rng)
        answer = read_answer(status, raw, after, token=Secret(TOKEN))
        is_yes = isinstance(judge(answer), Accepted)
        accepted, refused = accepted + is_yes, refused + (not is_yes)

        where = f"SEED={SEED}, {number}, {raw[:300]!r}"
        assert is_yes == (answer.code in ACCEPTING and 200 <= status < 300), where
        assert not is_yes or said_yes(raw), where
        assert answer.retry_after_s is None or 0 <= answer.retry_after_s <= 3600, where
        shown = msgspec.json.encode(answer).decode()
        assert not any(spelt.lower() in shown.lower() for spelt in SPELT), where
        assert len(answer.message) <= 300, where
        assert not {sign for sign in answer.message if ord(sign) < 32}, where
        assert len(answer.request_id) <= 64, where
    tried(ROW, count)

    assert accepted
    assert refused


def said_yes(raw: bytes) -> bool:
    """Read the answer a second time, by the standard library."""
    return str(json.loads(raw)["code"]) in {str(code) for code in ACCEPTING}
