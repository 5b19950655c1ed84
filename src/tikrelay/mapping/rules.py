"""Rules: everything the operator set that decides what becomes of an event on its way to one destination."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec

from tikrelay.event import DropReason, Event
from tikrelay.mapping.cleaning import Cleaner, Context, Settings
from tikrelay.mapping.conditions import Condition, Mistakes, conditions_of, path_of_url
from tikrelay.mapping.config import (
    ConsentRule,
    MappedDestination,
    MappingConfig,
    OwnConsentRule,
    PrivacyConfig,
    RuleConfig,
)
from tikrelay.mapping.edits import Edit, default_of, edits_of
from tikrelay.mapping.fields import FIELDS, Field, Source
from tikrelay.mapping.names import Names
from tikrelay.mapping.page import host_of_url
from tikrelay.mapping.paths import plain_path
from tikrelay.mapping.patterns import Matcher, matcher
from tikrelay.mapping.texts import event_name, shown_name
from tikrelay.tiktok.config import TEST_EVENT_CODE

MOST_RULES: Final = 200
MOST_CONDITIONS: Final = 50  # of one rule

_MOST_SHAPES: Final = 500  # remembered; then it begins anew


class RuleError(ValueError):
    """A rule that cannot be read: each key of it that is wrong, and what to write instead."""

    def __init__(self, mistakes: Mistakes) -> None:
        super().__init__("; ".join(f"{key} {what}" for key, what in mistakes))
        self.mistakes = mistakes


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, ready to be asked.

    ``any_of``   groups of conditions; the rule applies where all of one group are met, or where there is no group
    ``send_as``  names of events as the operator wrote them; None leaves them to the tables
    """

    name: str
    events: Matcher | None
    any_of: tuple[tuple[Condition, ...], ...]
    send_as: tuple[str, ...] | None
    destinations: frozenset[str]
    edits: tuple[Edit, ...]
    test_event_code: str | None
    limited_data_use: bool | None

    @classmethod
    def of(cls, config: RuleConfig, *, number: int, place: str = "rule") -> Self:
        """Compile one. Raises RuleError with every mistake in it."""
        mistakes: Mistakes = []
        groups = config.when if isinstance(config.when, tuple) else (config.when,) if config.when else ()
        any_of = tuple(conditions_of(group, mistakes) for group in groups)
        edits = edits_of(config, mistakes)
        if sum(len(group) for group in any_of) > MOST_CONDITIONS:
            mistakes.append(("when", f"holds more than {MOST_CONDITIONS} conditions; make several rules of it"))
        send_as = (config.send_as,) if isinstance(config.send_as, str) else config.send_as
        if config.test_event_code and not TEST_EVENT_CODE.fullmatch(config.test_event_code):
            mistakes.append(("test_event_code", "is no code of the Test Events tab, such as TEST12345"))
        events = (config.events,) if isinstance(config.events, str) else config.events
        for key, names in (("send_as", send_as or ()), ("events", events)):
            mistakes += [(key, f"{name!r} holds several; write a list of names") for name in names if "," in name]
        if config.drop and send_as:
            mistakes.append(("drop", "and send_as contradict each other; keep one of them"))
        says_nothing = send_as is None and config.test_event_code is None and config.limited_data_use is None
        if says_nothing and not (config.drop or config.destinations or edits or mistakes):
            mistakes.append(("name", "the rule does nothing; write send_as, drop, destinations, set, copy ..."))
        if mistakes:
            raise RuleError(mistakes)
        return cls(
            name=config.name or f"{place} {number}",
            events=matcher(events),
            any_of=any_of,
            send_as=() if config.drop else None if send_as is None else tuple(name for name in send_as if name.strip()),
            destinations=frozenset(config.destinations),
            edits=edits,
            test_event_code=config.test_event_code,
            limited_data_use=config.limited_data_use,
        )

    def applies(self, event: Event) -> bool:
        """Say whether it is for an event."""
        if self.events is not None and not self.events(event.name.strip()):
            return False
        return not self.any_of or any(all(one.is_met(event) for one in group) for group in self.any_of)

    def why_not(self, event: Event) -> str:
        """Say in words why it is not: the event's name, or of each group of conditions the first that is not met."""
        if self.events is not None and not self.events(event.name.strip()):
            return f"events does not name {shown_name(event.name)}"
        unmet = [next((one.text for one in group if not one.is_met(event)), "") for group in self.any_of]
        return f"not met: {'; nor '.join(unmet)}"


class Step(NamedTuple):
    """One source of a row, ready to be asked: a key of one of the event's tables, or else a function."""

    place: str
    key: str
    read: Callable[[Context], Any]
    clean: Cleaner
    source: Source


class Row(msgspec.Struct, frozen=True):
    """One field of the table, ready to be walked."""

    field: Field
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, field: Field) -> Self:
        """Take a field's sources apart once, not for every event."""
        steps = [Step(one.place, one.key, one.read, one.clean or field.clean, one) for one in field.sources]
        return cls(field, tuple(steps))

    def for_keys_of(self, event: Event) -> "Row":
        """Keep the steps that can have a value, by the keys of the event alone."""
        live = [step for step in self.steps if not step.place or step.key in getattr(event, step.place)]
        return Row(self.field, tuple(live))


Shape = tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]
"""Which keys that rows read are in an event, table after table."""


class Known(msgspec.Struct, frozen=True):
    """The keys that rows read, by the event's tables."""

    data: frozenset[str]
    user_data: frozenset[str]
    user_properties: frozenset[str]
    client_hints: frozenset[str]

    @classmethod
    def to(cls, fields: Sequence[Field]) -> Self:
        """Gather them of the table of fields."""
        sources = [source for field in fields for source in field.sources]
        return cls(
            **{place: frozenset(one.key for one in sources if one.place == place) for place in cls.__struct_fields__}
        )


class Plan(msgspec.Struct, frozen=True):
    """What an event becomes before any field is made: its TikTok names, or why it is dropped, and by what."""

    names: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    dropped: DropReason | None = None
    by: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Made once at start; read for every event.

    ``shapes``  which rows to ask, by the keys an event has; a shop's hits have few sets of keys
    """

    destination: str
    names: Names
    fields: tuple[Field, ...]
    rows: tuple[Row, ...]
    known: Known
    shapes: dict[Shape, tuple[Row, ...]]
    consent: ConsentRule
    identifiers: OwnConsentRule
    settings: Settings
    consent_key: str
    custom_properties: tuple[Edit, ...]
    own: tuple[Rule, ...]
    measurement_ids: frozenset[str]
    hosts: Matcher | None
    denied_events: Matcher | None

    @classmethod
    def of(
        cls,
        mapping: MappingConfig,
        privacy: PrivacyConfig,
        destination: MappedDestination,
        rules: Sequence[RuleConfig] = (),
    ) -> Self:
        """Put the settings that concern one destination together. Raises RuleError for a rule that cannot be read."""
        source = destination.event_source
        is_slow = source in {"offline", "crm"}
        fields = tuple(field for field in FIELDS if not field.only or source in field.only)
        return cls(
            destination=destination.name,
            names=Names(mapping, destination),
            fields=fields,
            rows=tuple(Row.of(field) for field in fields),
            known=Known.to(fields),
            shapes={},
            consent=destination.consent or privacy.consent,
            identifiers=privacy.identifiers,
            settings=Settings(
                event_source=source,
                phone_country=mapping.default_phone_country,
                phone_cn=mapping.phone_cn,
                external_id_lowercase=mapping.external_id_lowercase,
                us_zip_first_five=mapping.us_zip_first_five,
                old_after_s=mapping.warn_older_than_offline if is_slow else mapping.warn_older_than,
                strict_urls=privacy.strict_urls,
                allowed_parameters=privacy.allowed_parameters,
                denies_page=_denial_of(privacy),
                app_id=destination.app_id,
                limited_data_use=destination.limited_data_use,
                limited_data_use_regions=frozenset(place.upper() for place in privacy.limited_data_use_regions),
            ),
            consent_key="destinations.consent" if destination.consent else "privacy.consent",
            custom_properties=tuple(default_of(*one) for one in mapping.custom_properties.items()),
            own=(
                *(Rule.of(rule, number=number) for number, rule in enumerate(rules, 1)),
                *(
                    Rule.of(rule, number=number, place=f"rule of {destination.name}")
                    for number, rule in enumerate(destination.rules, 1)
                ),
            ),
            measurement_ids=frozenset(destination.measurement_ids),
            hosts=matcher(host.lower() for host in destination.hosts),
            denied_events=matcher(privacy.denied_events),
        )

    def plan(self, event: Event) -> Plan:
        """Say which TikTok events an event becomes for this destination, or why none."""
        if by := self._elsewhere(event):
            return Plan(dropped=DropReason.NOT_ROUTED, by=by)
        if by := self._denied(event):
            return Plan(dropped=DropReason.DENY_LISTED, by=by)
        rules = tuple(rule for rule in self.own if rule.applies(event)) if self.own else ()
        send_as: tuple[str, ...] | None = None
        by = chosen_by = ""
        for rule in rules:  # of two that say the same thing the later counts
            if rule.destinations:
                chosen_by = "" if self.destination in rule.destinations else rule.name
            if rule.send_as is not None:
                send_as, by = rule.send_as, rule.name
        if chosen_by:
            return Plan(rules=rules, dropped=DropReason.NOT_ROUTED, by=chosen_by)
        if send_as is not None:
            found = self.names.all_of(send_as)
        else:
            found, by = self.names.of(event_name(event.name)), self.names.setting_of(event.name)
        if isinstance(found, DropReason):
            return Plan(rules=rules, dropped=found, by=by if found is DropReason.BY_RULE else "")
        return Plan(found, rules)

    def _elsewhere(self, event: Event) -> str:
        """The setting by which an event is not for this destination, or nothing."""
        measurement_id = event.key.measurement_id
        if self.measurement_ids and measurement_id not in self.measurement_ids:
            return "destinations.measurement_ids"
        if self.hosts is None:
            return ""
        host = host_of_url(event.page_url)
        fits = self.hosts(host) if host else bool(self.measurement_ids)
        return "" if fits else "destinations.hosts"

    def _denied(self, event: Event) -> str:
        """The list that keeps an event from being sent anywhere, or nothing."""
        if self.denied_events is not None and self.denied_events(shown_name(event.name)):
            return "privacy.denied_events"
        url, denies_page = event.page_url, self.settings.denies_page
        return denies_page(url) if denies_page is not None and isinstance(url, str) else ""

    def asked(self, event: Event) -> tuple[Row, ...]:
        """The rows that may give a value for an event, in the table's order, each with the sources that may."""
        known = self.known
        shape = (
            known.data.intersection(event.data),
            known.user_data.intersection(event.user_data),
            known.user_properties.intersection(event.user_properties),
            known.client_hints.intersection(event.client_hints),
        )
        rows = self.shapes.get(shape)
        if rows is None:
            rows = tuple(live for row in self.rows if (live := row.for_keys_of(event)).steps)
            if len(self.shapes) >= _MOST_SHAPES:
                self.shapes.clear()
            self.shapes[shape] = rows
        return rows


def _denial_of(privacy: PrivacyConfig) -> Callable[[str], str] | None:
    """Make the look at a page's address that names the list it stands in; None where both lists are empty.

    A path is compared as a server would read it, however it is written, with and without a slash at its end.
    """
    hosts = matcher(host.lower().rstrip(".") for host in privacy.denied_hosts)
    paths = matcher(plain_path(path) for path in privacy.denied_paths)
    if hosts is None and paths is None:
        return None

    def denies(url: str) -> str:
        if hosts is not None and hosts(host_of_url(url).rstrip(".")):
            return "privacy.denied_hosts"
        path = plain_path(path_of_url(url))
        return "privacy.denied_paths" if paths is not None and (paths(path) or paths(f"{path}/")) else ""

    return denies
