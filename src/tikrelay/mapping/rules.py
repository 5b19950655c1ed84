"""Rules: everything the operator set that decides what becomes of an event on its way to one destination."""

from typing import Self

import msgspec

from tikrelay.mapping.config import ConsentRule, MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.fields import FIELDS, Field
from tikrelay.mapping.names import Names
from tikrelay.tiktok.payload import EventSource


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Made once at start; read for every event."""

    names: Names
    fields: tuple[Field, ...]
    consent: ConsentRule
    event_source: EventSource
    phone_country: str
    custom_properties: dict[str, str | int | float | bool]
    limited_data_use: bool
    app_id: str

    @classmethod
    def of(cls, mapping: MappingConfig, privacy: PrivacyConfig, destination: MappedDestination) -> Self:
        """Put the settings that concern one destination together."""
        source = destination.event_source
        return cls(
            names=Names(mapping, source),
            fields=tuple(field for field in FIELDS if not field.only or source in field.only),
            consent=destination.consent or privacy.consent,
            event_source=source,
            phone_country=mapping.default_phone_country,
            custom_properties=dict(mapping.custom_properties),
            limited_data_use=destination.limited_data_use,
            app_id=destination.app_id,
        )
