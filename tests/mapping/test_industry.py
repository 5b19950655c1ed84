"""Parameters of travel and vehicle shops."""

import json

import pytest

from tikrelay.mapping.cleaning import Left
from tikrelay.mapping.industry import drivetrain, fuel_type, mileage, price_range, travel_class, vin

STAY = {
    "checkin_date": "2026-12-01", "checkout_date": 20261205, "num_adults": "2", "num_children": 0, "num_infants": 1.0,
    "suggested_hotels": ["h-1", "h-2"], "destination_ids": '["d-1", 7]', "suggested_destinations": "Rome",
    "user_score": "4,5", "travel_start": "2026-12-01", "travel_end": "2026-12-05",
}  # fmt: skip
FLIGHT = {
    "departing_departure_date": "2026-12-01", "departing_arrival_date": "2026-12-02",
    "returning_departure_date": "2026-12-09", "returning_arrival_date": "2026-12-10", "origin_airport": "TXL",
    "destination_airport": "JFK", "travel_class": "Economy", "preferred_num_stops": "1",
}  # fmt: skip
CAR = {
    "make": "Acme", "model": "Road Runner", "year": "2024", "state_of_vehicle": "used",
    "mileage": {"value": "12.500,5", "unit": "km"}, "exterior_color": "red", "interior_color": "black",
    "transmission": "AUTOMATIC", "body_style": "suv", "fuel_type": "hybrid", "drivetrain": "4WD",
    "preferred_price_range": [10000, "20,000"], "trim": "GT", "vin": "1HGCM82633A004352",
    "condition_of_vehicle": "good", "viewcontent_type": "detail", "search_type": "used cars",
    "registration_type": "lead",
}  # fmt: skip


def test_a_stay_is_told_by_tiktoks_names(body):
    assert {
        "checkin_date": "2026-12-01", "checkout_date": "20261205", "num_adults": 2, "num_children": 0,
        "num_infants": 1, "suggested_hotels": ["h-1", "h-2"], "destination_ids": ["d-1", "7"],
        "suggested_destinations": ["Rome"], "user_score": 4.5, "travel_start": "2026-12-01",
        "travel_end": "2026-12-05",
    } == body(data=STAY)["properties"]  # fmt: skip


def test_a_flight_is_told_by_tiktoks_names(body):
    assert {**FLIGHT, "travel_class": "eco", "preferred_num_stops": 1} == body(data=FLIGHT)["properties"]


def test_a_vehicle_is_told_by_tiktoks_names(body):
    assert {
        **CAR, "year": 2024, "state_of_vehicle": "Used", "mileage": {"value": 12500.5, "unit": "KM"},
        "transmission": "Automatic", "body_style": "SUV", "fuel_type": "Hybrid", "drivetrain": "FOUR_WD",
        "preferred_price_range": [10000, 20000], "condition_of_vehicle": "Good",
    } == body(data=CAR)["properties"]  # fmt: skip


@pytest.mark.parametrize("event_source", ["app", "offline", "crm"])
def test_only_the_web_takes_them(body, event_source):
    settings = {"event_source": event_source, "app_id": "1"}

    assert "properties" not in body(data={**STAY, **CAR, "city": "Rome", "postal_code": "10115"}, settings=settings)


# Whose place it is.

PLACES = {"city": "Rome", "region": "Lazio", "country": "IT"}
OF_A_PERSON = {"city": "rome", "state": "lazio", "country": "it"}


@pytest.mark.parametrize(
    "sign",
    [
        "checkin_date", "checkout_date", "departing_departure_date", "returning_departure_date",
        "departing_arrival_date", "returning_arrival_date", "origin_airport", "destination_airport", "travel_start",
        "travel_end", "suggested_hotels", "destination_ids", "suggested_destinations",
    ],
)  # fmt: skip
def test_the_places_of_a_trip_are_the_trips(body, sign):
    found = body(data={**PLACES, sign: "x"})

    assert PLACES.items() <= found["properties"].items()
    assert "user" not in found


def test_where_a_trip_goes_says_nothing_of_the_number_of_who_books_it(body, kinds):
    data = {"country": "IT", "checkin_date": "2026-12-01", "phone": "06 6982"}

    assert "user" not in body(data=data)
    assert ("phone_without_country", "user.phone") in kinds(data=data)


@pytest.mark.parametrize("sign", [{}, {"checkin_date": ""}, {"checkin_date": "undefined"}, {"destination_ids": []}])
@pytest.mark.parametrize("more", [{}, {"num_adults": 2, "user_score": 3}, CAR])
def test_without_a_trip_they_are_the_persons(body, sign, more):
    found = body(data={**PLACES, **more, **sign})

    assert OF_A_PERSON == found["user"]
    assert set() == set(PLACES) & set(found.get("properties", {}))


def test_a_persons_own_address_stays_the_persons_on_a_trip(body):
    people = {"address.city": "Berlin", "address.region": "BE", "address.country": "DE"}
    found = body(data={**PLACES, **STAY}, user_data=people)

    assert {"city": "berlin", "state": "be", "country": "de"} == found["user"]
    assert PLACES.items() <= found["properties"].items()


def test_a_trips_places_are_not_the_persons_offline_either(body):
    assert "user" not in body(data={**PLACES, **STAY}, settings={"event_source": "offline"})


@pytest.mark.parametrize(
    "sign",
    [
        {"vin": "1HGCM82633A004352"}, {"make": "Acme", "model": "R"}, {"mileage": {"value": 1, "unit": "KM"}},
        {"mileage.value": 1, "mileage.unit": "KM"}, {"body_style": "SUV"}, {"drivetrain": "AWD"},
        {"fuel_type": "Diesel"}, {"state_of_vehicle": "New"}, {"condition_of_vehicle": "Good"},
    ],
)  # fmt: skip
def test_the_postal_code_of_a_vehicle_is_the_vehicles(body, sha256, sign):
    found = body(data={"postal_code": "10115", "zip": "20095", **sign})

    assert "10115" == found["properties"]["postal_code"]
    assert {"zip_code": sha256("20095")} == found["user"]


@pytest.mark.parametrize("sign", [{}, {"make": "Acme"}, {"model": "R"}, {"vin": ""}, {"mileage": {}}, STAY])
def test_without_a_vehicle_it_is_the_persons(body, sha256, sign):
    found = body(data={"postal_code": "10115", **sign})

    assert {"zip_code": sha256("10115")} == found["user"]
    assert "postal_code" not in found.get("properties", {})


@pytest.mark.parametrize("text", ["ann@shop.example", "+49 151 55501234"])
def test_nobodys_address_stands_in_any_of_them(body, text):
    names = [*STAY, *FLIGHT, *CAR, "city", "region", "country", "postal_code"]
    sent = json.dumps(body(data=dict.fromkeys(names, f"x {text}"), user_data={}))
    nested = json.dumps(body(data={name: [text, {"value": text, "unit": text}] for name in names}))

    assert text not in sent
    assert text not in nested


# Their forms.


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"value": 5, "unit": "MI"}, {"value": 5, "unit": "MI"}),
        ({"value": "0", "unit": " Miles "}, {"value": 0, "unit": "MI"}),
        ('{"value": 1.5, "unit": "KM"}', {"value": 1.5, "unit": "KM"}),
        ("12,500 mi", {"value": 12500, "unit": "MI"}),
        ("12 km", {"value": 12, "unit": "KM"}),
        ("12", Left.UNUSABLE),
        (12, Left.UNUSABLE),
        ({"value": 12}, Left.UNUSABLE),
        ({"unit": "KM"}, Left.UNUSABLE),
        ({"value": -1, "unit": "KM"}, Left.UNUSABLE),
        ({"value": 1, "unit": "yards"}, Left.UNUSABLE),
        ({"value": "far", "unit": "KM"}, Left.UNUSABLE),
        ("far away", Left.UNUSABLE),
        ([1, "KM"], Left.UNUSABLE),
        ({}, Left.EMPTY),
        ({"value": "", "unit": ""}, Left.EMPTY),
        ("undefined", Left.EMPTY),
    ],
)
def test_a_mileage_has_a_length_and_a_unit(context, given, read):
    assert read == mileage(given, context())


def test_a_mileage_may_come_in_two_keys(body):
    data = {"mileage.value": "12500", "mileage.unit": "mi"}

    assert {"mileage": {"value": 12500, "unit": "MI"}} == body(data=data)["properties"]
    assert "properties" not in body(data={"mileage.unit": "mi"})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([1, 2], [1, 2]),
        (["10,000", "20000.5"], [10000, 20000.5]),
        ("[1, 2]", [1, 2]),
        ("10000-20000", [10000, 20000]),
        ("10,000 \u2013 20,000", [10000, 20000]),
        ([5, 5], [5, 5]),
        ([2, 1], Left.UNUSABLE),
        ([1], Left.UNUSABLE),
        ([1, 2, 3], Left.UNUSABLE),
        ([1, "much"], Left.UNUSABLE),
        ([-1, 2], Left.UNUSABLE),
        (5, Left.UNUSABLE),
        ("cheap", Left.UNUSABLE),
        ({"min": 1, "max": 2}, Left.UNUSABLE),
        ([], Left.EMPTY),
        ("", Left.EMPTY),
    ],
)
def test_a_price_range_is_two_numbers(context, given, read):
    assert read == price_range(given, context())


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("1HGCM82633A004352", "1HGCM82633A004352"),
        (" AB12 ", "AB12"),
        ("1HGCM82633A0043521", Left.UNUSABLE),
        ("1HGCM8-2633", Left.UNUSABLE),
        ("", Left.EMPTY),
    ],
)
def test_a_vehicles_number_has_at_most_17_signs(context, given, read):
    assert read == vin(given, context())


@pytest.mark.parametrize(
    ("clean", "given", "read"),
    [
        (travel_class, "ECO", "eco"),
        (travel_class, "premium-economy", "prem"),
        (travel_class, "Business", "bus"),
        (travel_class, "first", "first"),
        (drivetrain, "FOUR_WD", "FOUR_WD"),
        (drivetrain, "four wd", "FOUR_WD"),
        (drivetrain, "2wd", "TWO_WD"),
        (fuel_type, "Petrol", "Gasoline"),
        (fuel_type, "steam", Left.UNUSABLE),
        (fuel_type, 7, Left.UNUSABLE),
        (fuel_type, "(not set)", Left.EMPTY),
    ],
)
def test_a_word_of_a_list_is_spelled_as_tiktok_does(context, clean, given, read):
    assert read == clean(given, context())


def test_what_is_not_in_the_list_is_left_out_with_a_notice(body, kinds):
    assert {"year": 2024} == body(data={"year": 2024, "body_style": "boat"})["properties"]
    assert ("unusable", "properties.body_style") in kinds(data={"body_style": "boat"})
