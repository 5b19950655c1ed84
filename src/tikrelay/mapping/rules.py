"""Rules: everything the operator set that decides what becomes of an event on its way to one destination."""

from typing import Self

import msgspec

from tikrelay.mapping.cleaning import Settings
from tikrelay.mapping.config import ConsentRule, MappedDestination, MappingConfig, PrivacyConfig
from tikrelay.mapping.fields import FIELDS, Field
from tikrelay.mapping.names import Names


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Made once at start; read for every event."""

    names: Names
    fields: tuple[Field, ...]
    consent: ConsentRule
    settings: Settings
    custom_properties: dict[str, str | int | float | bool]

    @classmethod
    def of(cls, mapping: MappingConfig, privacy: PrivacyConfig, destination: MappedDestination) -> Self:
        """Put the settings that concern one destination together."""
        source = destination.event_source
        is_slow = source in {"offline", "crm"}
        return cls(
            names=Names(mapping, source),
            fields=tuple(field for field in FIELDS if not field.only or source in field.only),
            consent=destination.consent or privacy.consent,
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
        )
