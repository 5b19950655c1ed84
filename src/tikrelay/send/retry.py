"""When an event is tried again, and when it is given up."""

from typing import Final

from tikrelay.outbox.store import UNKNOWN_FOR_S, Dead, DeadReason, Leased

BASE_S: Final = 1.0
CAP_S: Final = 300.0
# After a call that failed as a whole the gate says when the next one is made; its events need only not be in its way. A
# longer wait of theirs would outlast an outage.
CALL_FAILED_CAP_S: Final = 60.0
SLOW_S: Final = (120.0, 300.0)  # after "maintenance" and "take a long rest"
MOST_UNHEARD: Final = 3


def back_off(attempt: int, *, jitter: float, slow: bool = False, cap_s: float = CAP_S) -> float:
    """Seconds until the next try after the attempt-th failure: exponential with full jitter (0 <= jitter < 1).

    >>> [back_off(n, jitter=1.0) for n in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """
    if slow:
        low, high = SLOW_S
        return low + (high - low) * jitter
    return min(cap_s, BASE_S * 2.0 ** min(attempt - 1, 16)) * jitter


def give_up(leased: Leased, *, now: float, max_age_s: float) -> Dead | None:
    """Say why an event is not tried any more, or None.

    What may have been delivered is repeated for 36 h from the attempt that left it open; what surely was not, for
    ``send.max_age`` from its receipt, or from its replay.
    """
    if leased.unknown_since is not None:
        over = now - leased.unknown_since > UNKNOWN_FOR_S
        return Dead(reason=DeadReason.MAYBE_DELIVERED) if over else None
    return Dead(reason=DeadReason.TOO_OLD) if now - leased.waits_since > max_age_s else None
