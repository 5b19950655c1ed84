"""Whether TikTok is to limit its use of an event because of where it happened."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tikrelay.event import Json
from tikrelay.mapping import user
from tikrelay.mapping.cleaning import Context, as_text, is_object
from tikrelay.mapping.industry import is_trip

_REGIONS: Final = ("address.region", "address.state", "region", "state")


def by_place(context: Context) -> bool | None:
    """Say yes where the person's address, or the place the hit names, is one of the operator's regions."""
    regions = context.settings.limited_data_use_regions
    if not regions:
        return None
    return None if regions.isdisjoint(_places(context)) else True


def _places(context: Context) -> Iterator[str]:
    """The places of an event: ``US`` and ``US-CA``, by whichever key of the person's address names them."""
    people, data = context.event.user_data, context.event.data
    own: Mapping[str, Json] = {} if is_trip(context.event) else data  # a trip's places are where it goes
    countries = [*people.get("address.country", ()), *people.get("country", ()), own.get("country")]
    regions = [one for key in _REGIONS for one in people.get(key, ())] + [own.get("state"), own.get("region")]
    yield from _codes(_first(countries), _first(regions), context)
    location = data.get("event_location")
    if is_object(location):
        country = location.get("country") or location.get("country_id")
        yield from _codes(country, location.get("region") or location.get("region_id"), context)


def _first(given: Sequence[Json]) -> Json:
    return next((one for one in given if one), None)


def _codes(country: Json, region: Json, context: Context) -> Iterator[str]:
    """Write a country and its region as ISO 3166 does; a region may bring its country along."""
    text = as_text(region)
    if country is None and isinstance(text, str) and text[2:3] == "-":
        country = text[:2]
    of_country, of_state = user.country(country, context), user.state(region, context)
    if isinstance(of_country, str):
        yield of_country.upper()
        if isinstance(of_state, str):
            yield f"{of_country}-{of_state}".upper()
