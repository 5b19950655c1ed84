"""Parameters of travel and vehicle shops: what they may hold, and when a place is a trip's and not a person's.

``city``, ``region``, ``country`` and ``postal_code`` are also what a person's address is called. They are a trip's or a
vehicle's only in an event that carries another parameter which no other trade has, and then they are nobody's address.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import Context, Left, as_text, decoded, is_object
from tikrelay.mapping.numbers import read_number
from tikrelay.mapping.texts import number, one_of

# Parameters and words are those of Segment's TikTok destination, which TikTok maintains. The words after the first of
# each table are our own: how shops write the same.
_TRAVEL_SIGNS: Final = (
    "checkin_date", "checkout_date", "departing_departure_date", "returning_departure_date", "departing_arrival_date",
    "returning_arrival_date", "origin_airport", "destination_airport", "destination_ids", "suggested_hotels",
    "suggested_destinations", "travel_class", "travel_start", "travel_end", "preferred_num_stops",
)  # fmt: skip
_VEHICLE_SIGNS: Final = (
    "vin", "mileage", "mileage.value", "body_style", "drivetrain", "fuel_type", "state_of_vehicle",
    "condition_of_vehicle",
)  # fmt: skip
_VEHICLE_PAIR: Final = ("make", "model")

travel_class: Final = one_of({
    "eco": "eco", "economy": "eco", "prem": "prem", "premium": "prem", "premium economy": "prem",
    "bus": "bus", "business": "bus", "first": "first",
})  # fmt: skip
state_of_vehicle: Final = one_of({"new": "New", "used": "Used", "cpo": "CPO", "certified pre owned": "CPO"})
transmission: Final = one_of({"automatic": "Automatic", "manual": "Manual", "other": "Other"})
drivetrain: Final = one_of({
    "awd": "AWD", "four wd": "FOUR_WD", "4wd": "FOUR_WD", "4x4": "FOUR_WD", "fwd": "FWD", "rwd": "RWD",
    "two wd": "TWO_WD", "2wd": "TWO_WD", "other": "Other",
})  # fmt: skip
body_style: Final = one_of({
    style.lower(): style
    for style in (
        "Convertible", "Coupe", "Hatchback", "Minivan", "Truck", "SUV", "Sedan", "Van", "Wagon", "Crossover", "Other",
    )
})  # fmt: skip
fuel_type: Final = one_of({
    fuel.lower(): fuel for fuel in ("Diesel", "Electric", "Flex", "Gasoline", "Hybrid", "Other")
} | {"petrol": "Gasoline"})  # fmt: skip
condition_of_vehicle: Final = one_of({
    condition.lower(): condition for condition in ("Excellent", "Good", "Fair", "Poor", "Other")
})  # fmt: skip
_unit: Final = one_of({
    "mi": "MI", "mile": "MI", "miles": "MI", "km": "KM", "kms": "KM", "kilometer": "KM", "kilometers": "KM",
    "kilometre": "KM", "kilometres": "KM",
})  # fmt: skip
_LENGTH: Final = re.compile(r"(.{1,40}?)\s*([A-Za-z]{2,10})", re.ASCII)
_BETWEEN: Final = re.compile(r"[-\u2013]")
_VIN: Final = re.compile(r"[A-Za-z0-9]{1,17}", re.ASCII)  # at most 17 characters


def is_trip(event: Event) -> bool:
    """Say whether an event is about a journey or a stay."""
    return any(_says(event.data, sign) for sign in _TRAVEL_SIGNS)


def is_vehicle(event: Event) -> bool:
    """Say whether an event is about a vehicle."""
    data = event.data
    return any(_says(data, sign) for sign in _VEHICLE_SIGNS) or all(_says(data, sign) for sign in _VEHICLE_PAIR)


def _says(data: Mapping[str, Json], key: str) -> bool:
    value = data.get(key)
    return bool(value) if isinstance(value, list | dict) else not isinstance(as_text(value), Left)


def mileage(value: Json, context: Context) -> dict[str, Any] | Left:
    """Read how far a vehicle has gone: an object, its JSON text, or ``12,500 mi``. Without a unit it says nothing."""
    given = decoded(value)
    if isinstance(given, str) and isinstance(as_text(given), Left):
        return Left.EMPTY
    if isinstance(given, str) and (written := _LENGTH.fullmatch(given.strip())):
        given = {"value": written[1], "unit": written[2]}
    if not is_object(given):
        return Left.UNUSABLE
    length, unit = number(given.get("value"), context), _unit(given.get("unit"), context)
    if isinstance(length, Left) and isinstance(unit, Left):
        return Left.UNUSABLE if Left.UNUSABLE in {length, unit} else Left.EMPTY
    if isinstance(length, Left) or isinstance(unit, Left) or length < 0:
        return Left.UNUSABLE
    return {"value": length, "unit": unit}


def dotted_mileage(value: Json, context: Context) -> dict[str, Any] | Left:
    """Read it as a query writes what an object holds: the length, and the unit in a key of its own."""
    return mileage({"value": value, "unit": context.event.data.get("mileage.unit")}, context)


def price_range(value: Json, _: Context) -> list[int | float] | Left:
    """Read the lowest and the highest price: a list of two, its JSON text, or ``10000 - 20000``."""
    given = decoded(value)
    if isinstance(given, str):
        if isinstance(as_text(given), Left):
            return Left.EMPTY
        given = [*_BETWEEN.split(given[:100])]
    if not isinstance(given, list):
        return Left.UNUSABLE
    if not given:
        return Left.EMPTY
    prices = [price for one in given[:3] if (price := read_number(one)) is not None]
    return prices if len(given) == len(prices) == 2 and 0 <= prices[0] <= prices[1] else Left.UNUSABLE


def vin(value: Json, _: Context) -> str | Left:
    """Take the number of a vehicle."""
    given = as_text(value)
    return given if isinstance(given, Left) or _VIN.fullmatch(given) else Left.UNUSABLE
