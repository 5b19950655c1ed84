"""What a hit says about the visitor's consent, read from each source's own signals.

Google's Consent Mode as gtag.js encodes it, read from its code and from hits made with consent denied and then granted.
What is about personalised ads alone, or about Google's own services, says nothing of sending an event to TikTok and is
not read: ad_personalization, ``npa``, ``dma_cps``, and the Global Privacy Control bit of ``gcd``.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from tikrelay.base.errors import InputRefused
from tikrelay.collect.strict_json import read_json
from tikrelay.event import Consent, Json, Signal

_ALPHABET: Final = {c: i for i, c in enumerate("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")}
_TYPES: Final = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
_DENIED, _GRANTED = 2, 3  # two-bit values; 0 is not used, 1 not set
_NUMBERS: Final[dict[float, Signal]] = {1: "granted", 0: "denied"}  # True and False are numbers too
_DELEGATED: Final = 12  # 12 and up: taken from the type with this number less 12

GcdType = Literal["ad_storage", "analytics_storage", "ad_user_data", "ad_personalization"]


def from_gcs(gcs: str) -> Signal:
    """ad_storage of ``gcs``: the third character of ``G1`` + ad_storage + analytics_storage.

    >>> from_gcs("G111"), from_gcs("G100"), from_gcs("G1--")
    ('granted', 'denied', None)
    """
    if not gcs.startswith("G1") or len(gcs) < 3:
        return None
    return {"1": "granted", "0": "denied"}.get(gcs[2])  # type: ignore[return-value]  # the two literals above


def from_gcd(gcd: str, kind: GcdType) -> Signal:
    """One type of ``gcd``: a version character, then two characters for each type; what follows is not needed.

    Nothing set for a type is no signal, unless it is denied by implication (a region's rule). A string may be longer
    than what is known of it, or end early: what is missing is no signal.

    >>> from_gcd("13p3p3p3p5l1", "ad_storage"), from_gcd("13r3r3r3r5l1", "ad_storage")
    ('denied', 'granted')
    >>> from_gcd("13l3l3l3l1l1", "ad_storage"), from_gcd("13t3tPt2t5l1", "ad_user_data")
    (None, 'granted')
    """
    return _gcd(gcd, _TYPES.index(kind), asked=0)


def _gcd(gcd: str, place: int, asked: int) -> Signal:
    pair = gcd[1 + 2 * place : 3 + 2 * place]
    if len(pair) < 2 or pair[0] not in _ALPHABET or pair[1] not in _ALPHABET:
        return None
    first, second = _ALPHABET[pair[0]], _ALPHABET[pair[1]]
    for value in (second & 3, second >> 2 & 3, second >> 4 & 3):  # update, default, declare
        if value in {_DENIED, _GRANTED}:
            return "denied" if value == _DENIED else "granted"
    delegation, implicit = first >> 2, first & 3
    delegated: Signal = None
    if delegation >= _DELEGATED and asked < len(_TYPES):
        delegated = _gcd(gcd, delegation - _DELEGATED, asked + 1)
    return delegated or ("denied" if implicit == _DENIED else None)


def of_web_hit(parameters: Mapping[str, str]) -> Consent:
    """Read ``gcs``, else ``gcd``."""
    gcd = parameters.get("gcd", "")
    sending = from_gcs(parameters.get("gcs", "")) or from_gcd(gcd, "ad_storage")
    return Consent(
        sending=sending,
        user_data=from_gcd(gcd, "ad_user_data"),
        is_update=parameters.get("gcu") == "1",
    )


def of_measurement_protocol(of_body: Consent, parameters: Mapping[str, Json]) -> Consent:
    """Read what one event of a Measurement Protocol body says beside its body; a no in either is a no.

    Without one a yes in either is a yes. Each is read as event data is, ``of_body`` for all events of the body from its
    own ``consent``: that has no ad_storage, so ad_user_data decides sending too, but an ad_storage is obeyed.
    """
    own = of_event_data(parameters)
    return Consent(sending=_either(of_body.sending, own.sending), user_data=_either(of_body.user_data, own.user_data))


def _either(one: Signal, other: Signal) -> Signal:
    return "denied" if "denied" in {one, other} else one or other


def of_event_data(data: Mapping[str, Json]) -> Consent:
    """Read ``consent_state`` of event data, else ``x-ga-gcs`` and ``x-ga-gcd``.

    ``consent``, one word for all, bare ``ad_storage`` and ``ad_user_data``, what a server container notes of consent,
    and ``privacy_info`` of an exported row are taken too: a no is to be obeyed however it is written.
    """
    gcd = _text(data.get("x-ga-gcd") or data.get("x-ga-mp2-gcd") or data.get("gcd"))
    statements = _statements(data)
    storage = _said(statements, data, "ad_storage") or from_gcs(_text(data.get("x-ga-gcs") or data.get("gcs")))
    user_data = _said(statements, data, "ad_user_data") or from_gcd(gcd, "ad_user_data")
    storage = storage or from_gcd(gcd, "ad_storage") or _signal(_object(data.get("privacy_info")).get("ads_storage"))
    return Consent(sending=storage or user_data, user_data=user_data)


def _statements(data: Mapping[str, Json]) -> list[Json]:
    """What may hold a word for each purpose, or one for all, in the order in which it counts."""
    noted = _object(_object(data.get("x-sst-system_properties")).get("consent"))
    given = (data.get("consent_state"), data.get("consent"), noted.get("consentGrantedState"))
    return [_object(one) or one for one in given]


def _said(statements: Sequence[Json], data: Mapping[str, Json], purpose: str) -> Signal:
    """What is said of one purpose, each by its first source: one of the two may stand where the other does not."""
    for one in statements:
        if signal := _signal(one.get(purpose) if isinstance(one, dict) else one):
            return signal
    return _signal(data.get(purpose))


def _object(value: Json) -> dict[str, Json]:
    """An object, or the JSON text of one, which is all that a query can hold; else an empty one."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with contextlib.suppress(InputRefused):
            value = read_json(value.encode("utf-8", "replace"))
    return value if isinstance(value, dict) else {}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _signal(value: Json) -> Signal:
    """Read a consent however it is written.

    >>> [_signal(value) for value in (True, 0, " Denied ", "maybe", 2)]
    ['granted', 'denied', 'denied', None, None]
    """
    if isinstance(value, int | float):
        return _NUMBERS.get(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"granted", "true", "1", "yes"}:
            return "granted"
        if word in {"denied", "false", "0", "no"}:
            return "denied"
    return None
