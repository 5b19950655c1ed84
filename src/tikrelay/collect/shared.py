"""How much the events of one request may share.

What a request says once for all its events is read for each of them, and what is taken of it is stored with each: the
query, headers, and what a Measurement Protocol body says beside its events. So it counts once for each of them, and
all together may be no more than a whole body may.
"""

from typing import Final

from tikrelay.base.errors import InputRefused
from tikrelay.collect.hit import Hit

MOST_PARAMETERS: Final = 100_000  # shared parameters, times events
MOST_BYTES: Final = 2 * 1024 * 1024  # shared bytes, times events: what a body holds at most, by default
_HINT: Final = "send fewer events at once, or a shorter query"


def check_shared(hit: Hit, inputs: int, *, parameters: int, size: int = 0) -> None:
    """Refuse what would grow too large with each of its inputs taken for itself. Raises InputRefused (413).

    ``parameters`` is how many each input is given, ``size`` what the body says for all of them.
    """
    if inputs < 2:
        return
    cookies = (hit.cookies.ttclid, hit.cookies.ttp, hit.cookies.ga)
    heads = (hit.query, hit.user_agent, hit.referer, *cookies, *hit.hints.values())
    size += sum(len(text) for text in heads if text)
    if size * inputs > MOST_BYTES or parameters * inputs > MOST_PARAMETERS:
        what = f"{inputs} events are too many for all that the request says for each of them"
        raise InputRefused(413, "too_many_events", what, hint=_HINT)
