"""What each of TikTok's answers means: a table, and ``judge``, which reads it.

TikTok answers HTTP 200 to nearly every refusal; the truth is ``code`` in the body, and only 0 is success. Codes and
names are the constants of TikTok's Business API SDK (tiktok_code.py). What is not listed is judged by its first digit:
4xxxx a refusal, 5xxxx and 6xxxx a fault of theirs, anything else is unheard of.
"""

import re
from typing import Final, Literal

import msgspec

# Failures of a call that ended without an answer: before its body can have gone out, or after.
Failure = Literal["", "not_sent", "lost"]
LONGEST_RETRY_AFTER_S: Final = 3600.0  # our own choice: whoever asks for more is asked again


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from one call.

    ``status``         HTTP status, None without an answer
    ``code``           TikTok's code, None when the body has none
    ``failure``        "not_sent": the body cannot have gone out; "lost": it may have; "" when there is an answer
    ``retry_after_s``  the Retry-After header in seconds, None without one
    ``failed``         indexes of events of the call that it lists as failed; nobody has published that list's shape
    """

    status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str = ""
    retry_after_s: float | None = None
    failure: Failure = ""
    failed: tuple[int, ...] = ()
    seconds: float = 0.0


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """TikTok took every event of the call."""


class Retry(msgspec.Struct, frozen=True, tag=True):
    """Try again.

    ``unknown``  nobody knows whether TikTok took the events
    ``slow``     after a long wait
    ``rate``     there were too many calls
    """

    after_s: float | None = None
    unknown: bool = False
    slow: bool = False
    rate: bool = False


class Refused(msgspec.Struct, frozen=True, tag=True):
    """An event of the call is at fault; TikTok refused all of them for it."""


class TooLarge(msgspec.Struct, frozen=True, tag=True):
    """The call held too many bytes, or too many events."""

    events: bool = False


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Every call to this destination would end like this one, until somebody mends the settings or TikTok's end."""

    reason: str


class Partial(msgspec.Struct, frozen=True, tag=True):
    """Some events were taken, and TikTok did not say which."""


class Unheard(msgspec.Struct, frozen=True, tag=True):
    """A code that nobody has described."""


Verdict = Accepted | Retry | Refused | TooLarge | Pause | Partial | Unheard


class _Code(msgspec.Struct, frozen=True):
    verdict: Verdict
    words: str


_ACCESS_HINT: Final = "events wait, and go out once the token works again"
_ROUTE_HINT: Final = "look for a newer tikrelay; events wait"

CODES: Final[dict[int, _Code]] = {
    0: _Code(Accepted(), "accepted"),
    20001: _Code(Partial(), "some events of the call were accepted, some not"),
    40000: _Code(Refused(), "invalid parameters"),
    40001: _Code(
        Pause("no_permission"),
        "the token may not use this pixel: its owner must be admin or operator of the ad account",
    ),
    40002: _Code(Refused(), "a field has a value or a type TikTok does not take; the message names it"),
    40003: _Code(Pause("forbidden"), f"the token may not do this; {_ACCESS_HINT}"),
    40006: _Code(Pause("api_version"), f"this version of the API is not served; {_ROUTE_HINT}"),
    40007: _Code(Pause("not_found"), "what the call names does not exist: check event_source_id and tiktok.base_url"),
    40050: _Code(Accepted(), "TikTok had this call already"),
    40051: _Code(Pause("api_version"), f"this version of the API is not served; {_ROUTE_HINT}"),
    40061: _Code(TooLarge(events=True), "too many events in one call"),
    40062: _Code(Refused(), "personal data that is not hashed"),
    40063: _Code(Refused(), "an integration name TikTok does not know"),
    40100: _Code(Retry(rate=True), "too many calls; they go on more slowly"),
    40102: _Code(
        Pause("token_expired"), f"the token has expired: generate a new one in Events Manager; {_ACCESS_HINT}"
    ),
    40104: _Code(Pause("token_missing"), f"the call carried no token; {_ACCESS_HINT}"),
    40105: _Code(
        Pause("token_invalid"),
        f"the token is wrong or was revoked: generate a new one in Events Manager; {_ACCESS_HINT}",
    ),
    40113: _Code(Pause("app_forbidden"), f"the developer app behind the token is forbidden; {_ACCESS_HINT}"),
    40117: _Code(Pause("method_forbidden"), f"the developer app may not call this method; {_ACCESS_HINT}"),
    40118: _Code(
        Pause("not_allow_listed"), f"the developer app is not on TikTok's allow-list for this; {_ACCESS_HINT}"
    ),
    40130: _Code(
        Pause("scope_missing"), f"the token lacks a permission: authorise it again with events; {_ACCESS_HINT}"
    ),
    40132: _Code(Retry(rate=True), "too many calls; they go on more slowly"),
    40202: _Code(Retry(), "two writes met at TikTok's end"),
    40300: _Code(Pause("advertiser_missing"), f"the advertiser does not exist; {_ACCESS_HINT}"),
    40301: _Code(Pause("advertiser_role"), f"the advertiser's role does not allow this; {_ACCESS_HINT}"),
    40400: _Code(Pause("route_not_found"), f"TikTok knows no such address: check tiktok.base_url; {_ROUTE_HINT}"),
    40700: _Code(Refused(), "TikTok's own check of the call failed"),
    41000: _Code(Pause("blocked"), "TikTok blocks these calls: ask its support; events wait"),
    41001: _Code(Pause("api_offline"), f"TikTok has taken this interface offline; {_ROUTE_HINT}"),
    41002: _Code(Pause("fields_offline"), f"TikTok has taken fields of this interface offline; {_ROUTE_HINT}"),
    50000: _Code(Retry(), "a fault at TikTok's end"),
    50002: _Code(Retry(unknown=True), "TikTok's end ran out of time"),
    51010: _Code(Retry(unknown=True), "TikTok's pixel service ran out of time"),
    51012: _Code(Retry(), "a fault of TikTok's pixel service"),
    60001: _Code(Retry(slow=True), "TikTok is under maintenance"),
    61000: _Code(Retry(slow=True, rate=True), "too many calls; TikTok asks for a long rest"),
}
_REFUSED_4: Final = _Code(Refused(), "TikTok refuses the call")
_FAULT_5: Final = _Code(Retry(), "a fault at TikTok's end")
_UNHEARD: Final = _Code(Unheard(), "a code nobody has described")

# Answers without a code of TikTok's. 502 and 504 come from a gateway that may have passed the call on; 503 and 429 from
# one that did not. What is missing here: other 4xx refuse, other 5xx are tried again, and 3xx are never followed.
STATUSES: Final[dict[int, Verdict]] = {
    401: Pause("http_401"),
    403: Pause("http_403"),
    404: Pause("http_404"),
    407: Pause("http_407"),
    408: Retry(unknown=True),
    413: TooLarge(),
    425: Retry(),
    429: Retry(rate=True),
    502: Retry(unknown=True),
    504: Retry(unknown=True),
}

# How a message names one event of the call ("Batch.0.properties..."), and what it quotes of it.
EVENT_INDEX: Final = re.compile(r"\b(?:batch|data|events)[.\[](\d{1,4})\b", re.IGNORECASE)
QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
# 40002 for these fields of the envelope concerns every event, not one of them.
_ENVELOPE_FIELD: Final = re.compile(
    r"(?<![\w.])(?:event_source(?:_id)?|test_event_code|pixel[ _]code)\b", re.IGNORECASE
)
_DATA_FAULTS: Final = frozenset({40000, 40002})


def judge(answer: Answer) -> Verdict:
    """Say what an answer means for the events of its call.

    >>> judge(Answer(status=200, code=0))
    Accepted()
    >>> judge(Answer(status=200, code=40105))
    Pause(reason='token_invalid')
    >>> judge(Answer(failure="lost"))
    Retry(after_s=None, unknown=True, slow=False, rate=False)
    """
    verdict = _judge(answer)
    if isinstance(verdict, Retry) and answer.retry_after_s is not None:
        return msgspec.structs.replace(verdict, after_s=answer.retry_after_s)
    return verdict


def _judge(answer: Answer) -> Verdict:
    if answer.failure or answer.status is None:
        return Retry(unknown=answer.failure != "not_sent")
    if answer.code is None:
        return _judge_status(answer.status)
    verdict = _look_up(answer.code).verdict
    if isinstance(verdict, Accepted | Unheard) and not 200 <= answer.status < 300:
        return _judge_status(answer.status)  # not TikTok's words: a gateway repeats its status as "code"
    if answer.code in _DATA_FAULTS and _is_about_the_envelope(answer.message):
        return Pause("envelope")
    return verdict


def _is_about_the_envelope(message: str) -> bool:
    """Say whether a refusal names a field of the call's head: not a field of an event, not a value it quotes."""
    return not EVENT_INDEX.search(message) and bool(_ENVELOPE_FIELD.search(QUOTED.sub("", message)))


def _look_up(code: int) -> _Code:
    known = CODES.get(code)
    if known is not None:
        return known
    return {4: _REFUSED_4, 5: _FAULT_5, 6: _FAULT_5}.get(code // 10000, _UNHEARD)


def _judge_status(status: int) -> Verdict:
    known = STATUSES.get(status)
    if known is not None:
        return known
    if 200 <= status < 300:
        return Retry(unknown=True)  # a body that cannot be read: it may have said yes
    if 400 <= status < 500:
        return Refused()
    return Pause(f"http_{status}") if status < 400 else Retry()


def explain_code(code: int) -> str:
    """Say a code in plain words.

    >>> explain_code(40100)
    'too many calls; they go on more slowly'
    """
    return _look_up(code).words


PAUSE_WORDS: Final[dict[str, str]] = {
    **{code.verdict.reason: code.words for code in CODES.values() if isinstance(code.verdict, Pause)},
    "envelope": "TikTok does not take event_source, event_source_id or test_event_code: check [[destinations]]",
    "http_401": "the address answers 401: check the token and tiktok.base_url",
    "http_403": "the address answers 403: a firewall or proxy may stand between, or tiktok.base_url is wrong",
    "http_404": "the address answers 404: check tiktok.base_url",
    "http_407": "a proxy asks for a login: let this machine reach TikTok directly",
    "http_413": "the address answers 413, too large, to one small event: a firewall or proxy may stand between, or"
    " tiktok.base_url is wrong",
    "systematic": "TikTok refuses every event in the same way, and no more are buried meanwhile; look at one with"
    " tikrelay explain",
}


def explain_pause(reason: str) -> str:
    """Say in plain words what to do about a pause; a reason that is words already stays as it is.

    >>> explain_pause("http_404"), explain_pause("no such destination in the settings")
    ('the address answers 404: check tiktok.base_url', 'no such destination in the settings')
    """
    if re.fullmatch(r"http_[0-9]+", reason) and reason not in PAUSE_WORDS:
        return "the address answers with a redirect, which is never followed: check tiktok.base_url"
    return PAUSE_WORDS.get(reason, reason)
