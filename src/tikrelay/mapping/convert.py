"""``map_event(event, rules)``: the only entrance. An event becomes TikTok events, or is dropped for a reason.

Two steps: the rules plan which TikTok events there will be (``rules.py``), then each is made by a walk over the table
of fields (``fields.py``), changed by the operator's own rules (``edits.py``), and judged as a whole (``judge.py``).
``explain.py`` takes the same two steps and listens.

Pure: it reads no clock and draws no random number; what it cannot derive (an id for a source without one) is handed in.
"""

from typing import Any, Final, Protocol

from tikrelay.event import Dropped, Event, Json
from tikrelay.mapping.cleaning import Context, Left, as_text, cleaned
from tikrelay.mapping.consent import keeps_back, why_hidden
from tikrelay.mapping.edits import Change, Tell, apply
from tikrelay.mapping.fields import Field, Source
from tikrelay.mapping.judge import judge_name, judge_parameters, judge_whole
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.rules import Plan, Row, Rules
from tikrelay.tiktok.config import TEST_EVENT_CODE
from tikrelay.tiktok.payload import TikTokEvent

__all__ = ["Recorder", "Rules", "map_event", "plan", "walk"]


_CODE_STARTS: Final = "TEST"  # of a code that a stranger may choose


class Recorder(Protocol):
    """Hears how each field came about; ``explain`` is one."""

    def took(self, field: Field, source: Source, given: Json, value: Any) -> None:
        """A source's value was taken."""

    def left(self, field: Field, source: Source, given: Json, why: Left) -> None:
        """A source's value was not."""

    def also(self, field: Field, source: Source, given: Json) -> None:
        """A source has a value, and was not asked, because an earlier one was taken."""

    def ruled(self, rule: str, change: Change) -> None:
        """A rule of the operator's changed something."""


def map_event(event: Event, rules: Rules, *, fallback_id: str) -> tuple[TikTokEvent | Dropped, ...]:
    """Map one event for one destination: to one TikTok event, to several, or to a drop.

    ``fallback_id`` is used where nothing gives or derives an id.
    """
    made = plan(event, rules)
    if made.dropped is not None:
        return (Dropped(made.dropped),)
    return tuple(walk(event, rules, made, name, fallback_id=fallback_id, recorder=None) for name in made.names)


def plan(event: Event, rules: Rules) -> Plan:
    """Say which TikTok events an event becomes, or why and by what it is dropped."""
    made = rules.plan(event)
    if made.dropped is None and (reason := keeps_back(event.consent, rules.consent)) is not None:
        return Plan(rules=made.rules, dropped=reason, by=rules.consent_key)
    return made


def walk(
    event: Event, rules: Rules, made: Plan, name: str, *, fallback_id: str, recorder: Recorder | None
) -> TikTokEvent:
    """Make one of the planned events, and tell the recorder what each source and rule gave."""
    context = Context(event, name=name, fallback_id=fallback_id, settings=rules.settings)
    judge_name(rules.names, context)
    judge_parameters(context)
    body: dict[str, Any] = {"event": name}
    hidden_by = why_hidden(event.consent, rules.consent, rules.identifiers)
    without_person = bool(hidden_by)
    for row in rules.asked(event):
        field = row.field
        if without_person and field.person:
            continue
        context.target = field.path
        value = _first_usable(row, context, recorder)
        if value is not None:
            (body.setdefault(field.group, {}) if field.group else body)[field.key] = value
    if rules.custom_properties:
        tell = None if recorder is None else _teller(recorder, "mapping.custom_properties")
        apply(rules.custom_properties, body, context, without_person=without_person, tell=tell)
    for rule in made.rules:
        tell = None if recorder is None else _teller(recorder, rule.name)
        if tell is not None and rule.send_as is not None:
            tell(Change(f"sent as {', '.join(rule.send_as)}", ("event",)))
        apply(rule.edits, body, context, without_person=without_person, tell=tell)
        if rule.limited_data_use is not None:
            _limit(body, to=rule.limited_data_use)
            if tell is not None:
                words = "set" if rule.limited_data_use else "taken off"
                tell(Change(f"limited_data_use {words}", ("limited_data_use",)))
    code = _test_event_code(context, made, recorder)
    judge_whole(body, context, hidden_by=hidden_by)
    found = {group: value for group, value in body.items() if value not in ({}, [])} if made.rules else body
    own_id = found["event_id"] != context.made_id  # a rule may have put another
    notices = tuple(context.notices)
    return TikTokEvent(found, notices, code, own_id)  # type: ignore[arg-type]  # the table's paths are its own


def _first_usable(row: Row, context: Context, recorder: Recorder | None) -> Any:
    """Ask the sources of a row in turn; None when none gives a value that can be used."""
    many = row.field.many
    for table, key, read, clean, source in row.steps:
        given = getattr(context.event, table).get(key) if table else read(context)
        if given is None or given == "":
            continue
        if given.__class__ is tuple and len(given) == 1:  # as user data is kept
            given = given[0]
        several = many or given.__class__ is tuple
        value = cleaned(clean, given, context, many=many) if several else clean(given, context)
        if value.__class__ is not Left:
            if recorder is not None:
                recorder.took(row.field, source, given, value)
                _tell_of_others(row.field, source, context, recorder)
            return value
        if recorder is not None:
            recorder.left(row.field, source, given, value)
        if value is Left.WITHHELD:
            return None
        if value is Left.UNUSABLE:
            context.warn(NoticeKind.UNUSABLE, f"{source.name} could not be read and was left out")
    return None


def _teller(recorder: Recorder, rule: str) -> Tell:
    def tell(change: Change) -> None:
        recorder.ruled(rule, change)

    return tell


def _limit(body: dict[str, Any], *, to: bool) -> None:
    if to:
        body["limited_data_use"] = True
    else:
        body.pop("limited_data_use", None)


def _tell_of_others(field: Field, taken: Source, context: Context, recorder: Recorder) -> None:
    """Tell of what a person may have expected to be taken; what is there for every event is no news."""
    for source in field.sources[field.sources.index(taken) + 1 :]:
        if source.place and (given := source.read(context)) not in (None, "", ()):
            recorder.also(field, source, given)


def _test_event_code(context: Context, made: Plan, recorder: Recorder | None) -> str:
    """The code of this event alone: the last rule's that has one, else the event's own."""
    code, by = _own_test_code(context), "x-ttq-test-event-code"
    for rule in made.rules:
        if rule.test_event_code is not None:
            code, by = rule.test_event_code, rule.name
    if code:
        context.target = "test_event_code"
        context.warn(NoticeKind.TEST_EVENT, f"sent as a test under {code}; it does not count for ads")
        if recorder is not None:
            recorder.ruled(by, Change(f"test_event_code is {code}", ("test_event_code",)))
    return code


def _own_test_code(context: Context) -> str:
    given = context.event.data.get("x-ttq-test-event-code")
    code = Left.EMPTY if given is None else as_text(given)
    if isinstance(code, str) and code.startswith(_CODE_STARTS) and TEST_EVENT_CODE.fullmatch(code):
        return code
    if code is not Left.EMPTY:
        context.target = "test_event_code"
        context.warn(NoticeKind.UNUSABLE, "x-ttq-test-event-code could not be read and was left out")
    return ""
