"""Which fault a call meets: switches that tests and people turn on, and ``Faults``, which chooses.

Faults are asked in the order in which they were added; the first that concerns a call decides what it gets. ``slow``
only waits, and the next is asked. ``refuse`` and ``partial`` concern calls that would else be accepted;
``reset_early`` comes before a call is read, so it concerns any.
"""

import re
from collections import deque
from typing import Any, Final, Literal

import msgspec

from tikrelay.tools.sandbox.rules import PARAM_ERROR, TOKEN_INVALID, Call, Event, Tree, Verdict, is_list

RATE_LIMITED: Final = 40100
PARTIAL_OK: Final = 20001
_SPOILT: Final = "not a valid value"
_LONGEST_S: Final = 3600.0
_MOST_MEGABYTES: Final = 10_000
_WITHOUT_BODY: Final = frozenset({204, 205, 304})

Kind = Literal[
    "body",
    "bomb",
    "code",
    "endless",
    "garbage",
    "half",
    "hang",
    "http",
    "large",
    "length",
    "partial",
    "rate",
    "redirect",
    "refuse",
    "reset",
    "reset_after_accepting",
    "reset_amid",
    "reset_early",
    "revoke",
    "slow",
    "trickle",
]

_EARLY: Final = "reset_early"

# What each kind must be given; one of a group in brackets is enough.
NEEDS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "body": (("body",),),
    "bomb": (("megabytes",),),
    "code": (("code",),),
    "http": (("status",),),
    "slow": (("seconds",),),
    "rate": (("per_s",),),
    "refuse": (("field", "event_id", "event"),),
    "partial": (("field", "event_id", "event"),),
    "redirect": (("location",),),
    "large": (("megabytes",),),
    "length": (("length",),),
    "trickle": (("seconds",),),
}

# Messages of real calls, where there are any.
MESSAGES: Final[dict[int, str]] = {
    20001: "Partially succeeded.",
    40100: "Too many requests. Please retry in some time.",
    40105: "Access token is incorrect or has been revoked.",
    50000: "Internal system error.",
    51012: "Pixel service error.",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One switch, as it is sent to ``POST /sandbox/faults``.

    ``times``            how often it fires; None is always
    ``after``            how many requests it lets pass first
    ``event_source_id``  the only pixel it concerns
    ``accept``           the events are taken all the same, where the answer is no JSON of TikTok's
    ``body``             the answer's own text
    ``megabytes``        how long the answer is, of a ``bomb`` when it is inflated
    ``length``           what the answer says of its length; with it goes an answer that accepts
    ``seconds``          how long ``slow`` waits, or between two bytes of a ``trickle``
    """

    kind: Kind
    times: int | None = None
    after: int = 0
    event_source_id: str | None = None
    code: int | None = None
    message: str | None = None
    status: int | None = None
    retry_after: int | str | None = None
    seconds: float | None = None
    per_s: int | None = None
    field: str | None = None
    value: Any = msgspec.UNSET
    event_id: str | None = None
    event: str | None = None
    indexed: bool = True
    location: str | None = None
    accept: bool = False
    body: str | None = None
    megabytes: int | None = None
    length: int | None = None


def read_fault(raw: bytes) -> Fault:
    """Read a switch; raises ``msgspec.ValidationError`` (a ValueError) that says what is wrong.

    >>> read_fault(b'{"kind":"slow"}')
    Traceback (most recent call last):
    ...
    msgspec.ValidationError: a fault of kind slow needs seconds
    """
    fault = msgspec.json.decode(raw, type=Fault)
    for group in NEEDS.get(fault.kind, ()):
        if all(getattr(fault, name) is None for name in group):
            raise msgspec.ValidationError(f"a fault of kind {fault.kind} needs {' or '.join(group)}")
    if fault.status is not None and (not 200 <= fault.status <= 599 or fault.status in _WITHOUT_BODY):
        raise msgspec.ValidationError("status must be 200 to 599, and one that has a body")
    if fault.seconds is not None and not 0 <= fault.seconds <= _LONGEST_S:
        raise msgspec.ValidationError(f"seconds must be 0 to {_LONGEST_S:.0f}")
    if not 0 <= (fault.megabytes or 0) <= _MOST_MEGABYTES or not 0 <= (fault.length or 0) <= 10**9:
        raise msgspec.ValidationError(f"megabytes must be 0 to {_MOST_MEGABYTES}, length 0 to 1000000000")
    if (
        (fault.per_s is not None and fault.per_s < 0)
        or fault.after < 0
        or (fault.times is not None and fault.times < 1)
    ):
        raise msgspec.ValidationError("per_s and after begin at 0, times at 1")
    for text in (fault.location, str(fault.retry_after or "")):
        if text and not re.fullmatch(r"[\x20-\x7e]{1,2000}", text):
            raise msgspec.ValidationError("a header takes printable ASCII only")
    return fault


class Hit(msgspec.Struct, frozen=True):
    """A fault that fires on a call, and the events it is about (indexes into the call)."""

    fault: Fault
    indexes: tuple[int, ...] = ()


class Chosen(msgspec.Struct, frozen=True):
    """What a call meets: a wait first, and perhaps a fault."""

    wait_s: float = 0.0
    hit: Hit | None = None


class _Switch:
    """A fault that is on, and how often it was asked and fired."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.passed = 0
        self.fired = 0
        self.let_through: deque[float] = deque()

    def fire(self, verdict: Verdict, now: float) -> Hit | None:
        """Say whether it fires on this call, and count it."""
        fault = self.fault
        if fault.event_source_id is not None and fault.event_source_id != verdict.event_source_id:
            return None
        self.passed += 1
        if self.passed <= fault.after or (fault.times is not None and self.fired >= fault.times):
            return None
        hit = self._hit(verdict, now)
        self.fired += hit is not None
        return hit

    def _hit(self, verdict: Verdict, now: float) -> Hit | None:
        if self.fault.kind == "rate":
            return Hit(self.fault) if self._is_too_frequent(now) else None
        if self.fault.kind in {"refuse", "partial"}:
            indexes = () if verdict.call is None else matching(self.fault, verdict.call)
            return Hit(self.fault, indexes) if indexes else None
        return Hit(self.fault)

    def _is_too_frequent(self, now: float) -> bool:
        """Let ``per_s`` calls through in any second; those turned away do not count."""
        while self.let_through and now - self.let_through[0] >= 1.0:
            self.let_through.popleft()
        if len(self.let_through) >= (self.fault.per_s or 0):
            return True
        self.let_through.append(now)
        return False


class FaultView(msgspec.Struct, frozen=True):
    """A fault that is on, as it is shown."""

    fault: Fault
    fired: int


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        self._switches: list[_Switch] = []

    def add(self, fault: Fault) -> None:
        """Turn one on."""
        self._switches.append(_Switch(fault))

    def clear(self) -> None:
        """Turn all off."""
        self._switches.clear()

    def list(self) -> list[FaultView]:
        """Show those that are on, also those that have fired for the last time."""
        return [FaultView(switch.fault, switch.fired) for switch in self._switches]

    def comes_early(self, *, now: float) -> bool:
        """Say whether a call is reset before it is read."""
        early = (switch for switch in self._switches if switch.fault.kind == _EARLY)
        return any(switch.fire(Verdict(), now) for switch in early)

    def choose(self, verdict: Verdict, *, now: float) -> Chosen:
        """Say what a call meets that the rules judged so; ``now`` is monotonic."""
        wait_s = 0.0
        for switch in self._switches:
            if switch.fault.kind == _EARLY:
                continue
            hit = switch.fire(verdict, now)
            if hit is None:
                continue
            if hit.fault.kind != "slow":
                return Chosen(wait_s, hit)
            wait_s += hit.fault.seconds or 0.0
        return Chosen(wait_s)


def matching(fault: Fault, call: Call) -> tuple[int, ...]:
    """Find the events a fault names."""
    return tuple(index for index, event in enumerate(call.events) if _matches(fault, event))


def _matches(fault: Fault, event: Event) -> bool:
    if fault.event_id is not None and fault.event_id != event.event_id:
        return False
    if fault.event is not None and fault.event != event.name:
        return False
    if fault.field is None:
        return True
    found = look_up(event.tree(), fault.field)
    return found is not msgspec.UNSET and (fault.value is msgspec.UNSET or _same(found, fault.value))


def _same(one: object, other: object) -> bool:
    """Compare as JSON does: 1 is 1.0, and true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def look_up(tree: Tree, path: str) -> Any:
    """Follow a dotted path; a number counts in a list.

    >>> look_up({"properties": {"contents": [{"price": 9.5}]}}, "properties.contents.0.price")
    9.5
    >>> look_up({}, "page.url")
    UNSET
    """
    here: Any = tree
    for part in path.split("."):
        here = _step(here, part)
    return here


def _step(tree: Any, part: str) -> Any:
    try:
        return tree[int(part)] if is_list(tree) else tree[part]
    except (KeyError, IndexError, TypeError, ValueError):
        return msgspec.UNSET


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered in TikTok's JSON, and which events of the call are accepted."""

    code: int
    message: str
    data: dict[str, Any] = {}
    accepted: tuple[Event, ...] = ()


def reply_to(verdict: Verdict, hit: Hit | None) -> Reply:
    """Say what a call is answered when the fault, if any, is one that answers in JSON."""
    events = verdict.call.events if verdict.call else ()
    if hit is None:
        return Reply(code=verdict.code, message=verdict.message, accepted=events)
    fault = hit.fault
    match fault.kind:
        case "revoke":
            return _refusal(fault, TOKEN_INVALID)
        case "rate":
            return _refusal(fault, RATE_LIMITED)
        case "refuse":
            message = fault.message or _spoilt(fault, hit.indexes[0])
            return Reply(code=PARAM_ERROR if fault.code is None else fault.code, message=message)
        case "partial":
            return _partial(fault, hit.indexes, events)
        case _:
            code = 0 if fault.code is None else fault.code
            return Reply(code=code, message=_message(fault, code), accepted=events if code == 0 else ())


def _refusal(fault: Fault, code: int) -> Reply:
    return Reply(code=code, message=_message(fault, code))


def _message(fault: Fault, code: int) -> str:
    return fault.message or MESSAGES.get(code) or ("OK" if code == 0 else f"A fault of the sandbox: {code}.")


def _spoilt(fault: Fault, index: int) -> str:
    field = fault.field or ("event_id" if fault.event_id is not None else "event")
    return (
        f"Batch.{index}.{field}: {_SPOILT.capitalize()}" if fault.indexed else f"Invalid value for {field}: {_SPOILT}."
    )


def _partial(fault: Fault, indexes: tuple[int, ...], events: tuple[Event, ...]) -> Reply:
    """Take the others. The shape of ``failed_events`` is a guess: nobody has published a real one."""
    code = PARAM_ERROR if fault.code is None else fault.code
    failed = [{"index": index, "code": code, "message": fault.message or _spoilt(fault, index)} for index in indexes]
    taken = set(indexes)
    accepted = tuple(event for index, event in enumerate(events) if index not in taken)
    return Reply(code=PARTIAL_OK, message=MESSAGES[PARTIAL_OK], data={"failed_events": failed}, accepted=accepted)
