"""Rules: everything the operator set that decides what becomes of an event on its way to one destination."""

from collections.abc import Mapping, Sequence
from typing import Final, Self

import msgspec

from tikrelay.event import DropReason, Event
from tikrelay.mapping.cleaning import Settings
from tikrelay.mapping.conditions import Condition, Mistakes, conditions_of, path_of_page
from tikrelay.mapping.config import (
    ConsentRule,
    MappedDestination,
    MappingConfig,
    OwnConsentRule,
    PrivacyConfig,
    RuleConfig,
    Scalar,
)
from tikrelay.mapping.edits import Edit, edits_of
from tikrelay.mapping.fields import FIELDS, Field
from tikrelay.mapping.names import Names
from tikrelay.mapping.page import host_of_url
from tikrelay.mapping.patterns import Matcher, matcher
from tikrelay.mapping.texts import event_name, shown_name

MOST_RULES: Final = 200
MOST_CONDITIONS: Final = 50  # of one rule

_PLACES: Final = ("data", "user_data", "user_properties", "client_hints")


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
        if config.drop and send_as:
            mistakes.append(("drop", "and send_as contradict each other; keep one of them"))
        says_nothing = send_as is None and config.test_event_code is None and config.limited_data_use is None
        if says_nothing and not (config.drop or config.destinations or edits or mistakes):
            mistakes.append(("name", "the rule does nothing; write send_as, drop, destinations, set, copy ..."))
        if mistakes:
            raise RuleError(mistakes)
        return cls(
            name=config.name or f"{place} {number}",
            events=matcher((config.events,) if isinstance(config.events, str) else config.events),
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


class Plan(msgspec.Struct, frozen=True):
    """What an event becomes before any field is made: its TikTok names, or why it is dropped, and by what."""

    names: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    dropped: DropReason | None = None
    by: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Made once at start; read for every event.

    ``always``  the places in ``fields`` of rows that are asked for every event
    ``by_key``  those of rows that read nothing but keys of the event, by table and key
    """

    destination: str
    names: Names
    fields: tuple[Field, ...]
    always: tuple[int, ...]
    by_key: tuple[tuple[str, Mapping[str, tuple[int, ...]]], ...]
    consent: ConsentRule
    identifiers: OwnConsentRule
    settings: Settings
    custom_properties: Mapping[str, Scalar]
    own: tuple[Rule, ...]
    measurement_ids: frozenset[str]
    hosts: Matcher | None
    denied_hosts: Matcher | None
    denied_paths: Matcher | None
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
        always, by_key = _index(fields)
        return cls(
            destination=destination.name,
            names=Names(mapping, destination),
            fields=fields,
            always=always,
            by_key=by_key,
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
                app_id=destination.app_id,
                limited_data_use=destination.limited_data_use,
                limited_data_use_regions=frozenset(place.upper() for place in privacy.limited_data_use_regions),
            ),
            custom_properties=dict(mapping.custom_properties),
            own=(
                *(Rule.of(rule, number=number) for number, rule in enumerate(rules, 1)),
                *(
                    Rule.of(rule, number=number, place=f"rule of {destination.name}")
                    for number, rule in enumerate(destination.rules, 1)
                ),
            ),
            measurement_ids=frozenset(destination.measurement_ids),
            hosts=matcher(host.lower() for host in destination.hosts),
            denied_hosts=matcher(host.lower() for host in privacy.denied_hosts),
            denied_paths=matcher(privacy.denied_paths),
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
        by = ""
        for rule in rules:
            if rule.destinations and self.destination not in rule.destinations:
                return Plan(rules=rules, dropped=DropReason.NOT_ROUTED, by=rule.name)
            if rule.send_as is not None:
                send_as, by = rule.send_as, rule.name
        if send_as is not None:
            found = self.names.all_of(send_as)
        else:
            found, by = self.names.of(event_name(event.name)), "mapping.events"
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
        if self.denied_hosts is not None and self.denied_hosts(host_of_url(event.page_url)):
            return "privacy.denied_hosts"
        if self.denied_paths is not None and self.denied_paths(path_of_page(event)):
            return "privacy.denied_paths"
        return ""

    def asked(self, event: Event) -> list[Field]:
        """The rows of the table that may give a value for an event, in the table's order."""
        wanted = set(self.always)
        for place, keys in self.by_key:
            for key in getattr(event, place):
                if rows := keys.get(key):
                    wanted.update(rows)
        return [self.fields[row] for row in sorted(wanted)]


def _index(fields: Sequence[Field]) -> tuple[tuple[int, ...], tuple[tuple[str, Mapping[str, tuple[int, ...]]], ...]]:
    """Sort rows into those that are always asked and those that some key of the event calls for."""
    always: list[int] = []
    by_key: dict[str, dict[str, tuple[int, ...]]] = {place: {} for place in _PLACES}
    for number, field in enumerate(fields):
        if not all(source.place for source in field.sources):
            always.append(number)
            continue
        for source in field.sources:
            rows = by_key[source.place]
            rows[source.key] = (*rows.get(source.key, ()), number)
    return tuple(always), tuple((place, keys) for place, keys in by_key.items() if keys)
