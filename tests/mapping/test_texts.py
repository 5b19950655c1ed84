"""Plain texts and the small fields with a form of their own."""

import pytest

from tikrelay.mapping.cleaning import Left
from tikrelay.mapping.texts import (
    LISTED_CURRENCIES,
    LONGEST_NAME,
    MOST_TEXTS,
    agent,
    currency,
    event_name,
    identifier,
    locale,
    number,
    one_of,
    pixel_cookie,
    public_address,
    shown_name,
    text,
    texts,
    whole_number,
)


@pytest.mark.parametrize(("given", "taken"), [(" pen ", "pen"), (7, "7"), (1.5, "1.5"), ("a\nb", "a\nb"), ("ü", "ü")])
def test_a_text_is_taken_trimmed(context, given, taken):
    made = context()

    assert taken == text(given, made)
    assert [] == made.notices


@pytest.mark.parametrize("given", ["pen for ann@shop.example", "call +49 151 55501234", "a 0049 151 55501234"])
def test_nobodys_address_stays_in_a_text(context, given):
    made = context()

    assert "***" == text(given, made)[-3:]
    assert ["personal_data_removed"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ("x" * 1024, []),
        ("x" * 1025, ["cut"]),
        ("x " * 520, ["cut"]),
        ("x " * 508 + "ann@shop.example", ["cut", "personal_data_removed"]),
        ("x" * 100_000, ["cut"]),
    ],
)
def test_a_text_has_an_end(context, given, kinds):
    made = context()

    assert len(text(given, made)) <= 1024
    assert kinds == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(("field", "key"), [("query", "x-ttq-pt-query"), ("search_string", "x-ttq-pt-query")])
def test_a_search_goes_out_under_both_names(body, field, key):
    data = {"x-ttq-pt-query": "a", "search_term": "b", "query": "c"}

    assert "a" == body(data=data)["properties"][field]
    assert "b" == body(data={**data, key: ""})["properties"][field]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (" own ", " own "), ("a\nb", "a\nb"), ("x" * 500, "x" * LONGEST_NAME), ("undefined", "undefined"),
        ("\x00\x01", "unnamed"), ("buy ann@shop.example", "buy ***"), ("ann%40shop.example", "***"),
        ("\ud800", "unnamed"),
        ("null", "null"), ("1001", "1001"),
    ],
)  # fmt: skip
def test_a_name_is_sent_as_it_is_but_bounded_and_with_nobodys_address(given, name):
    assert name == event_name(given)


@pytest.mark.parametrize(
    ("given", "shown"),
    [(" own ", "own"), ("a\nb", "a b"), ("\x1b[31m", "⟨001B⟩[31m"), ("\n", "unnamed"), ("\u200b\u3164", "unnamed")],
)
def test_a_name_is_shown_on_one_line(given, shown):
    assert shown == shown_name(given)


@pytest.mark.parametrize("code", sorted(LISTED_CURRENCIES))
def test_a_currency_is_sent_in_upper_case(context, code):
    made = context()

    assert code == currency(f" {code.lower()} ", made)
    assert [] == made.notices


def test_tiktok_lists_62_currencies():
    assert 62 == len(LISTED_CURRENCIES)


@pytest.mark.parametrize("given", ["€", "EURO1", "EURO", "EU", "E R", "978", True, 978, {}])
def test_what_is_no_currency_is_unusable(context, given):
    assert Left.UNUSABLE == currency(given, context())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("en-us", "en-US"), ("EN_us", "en-US"), ("de", "de"), ("DE", "de"), ("zh-hans-cn", "zh-Hans-CN"),
        ("zh-tw", "zh-TW"), ("en-us@posix", "en-US"), ("de_AT.UTF-8", "de-AT"),
        ("es-419", "es-419"), ("sr-latn-rs", "sr-Latn-RS"), ("ca-es-valencia", "ca-ES-valencia"), ("fil-ph", "fil-PH"),
    ],
)  # fmt: skip
def test_a_language_is_written_as_bcp_47_has_it(context, given, sent):
    assert sent == locale(given, context())


@pytest.mark.parametrize("given", ["e", "english", "en--us", "en-", "en US", "1", "en-US,en;q=0.9", True, {}])
def test_what_is_no_language_is_unusable(context, given):
    assert Left.UNUSABLE == locale(given, context())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("8.8.4.4", "8.8.4.4"), (" 8.8.4.4 ", "8.8.4.4"), ("8.8.4.4:443", "8.8.4.4"), ("2001:4860::1", "2001:4860::1"),
        ("[2001:4860::1]:443", "2001:4860::1"), ("[2001:4860::1]", "2001:4860::1"), ("::ffff:8.8.4.4", "8.8.4.4"),
        ("2001:4860:0000:0000:0000:0000:0000:0001", "2001:4860::1"), ("2001:4860::1%eth0", "2001:4860::1"),
    ],
)  # fmt: skip
def test_an_address_comes_without_port_and_brackets(context, given, sent):
    assert sent == public_address(given, context())


@pytest.mark.parametrize(
    "given",
    [
        "10.0.0.1", "192.168.1.1", "172.16.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1", "0.1.2.3", "192.0.2.1", "198.51.100.1", "203.0.113.7", "198.18.0.1", "::1", "fe80::1", "fc00::1",
        "fd00::1", "ff02::1", "fec0::1", "2001:db8::1", "4000::1", "::ffff:10.0.0.1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_the_public_internets_is_not_sent(body, context, given):
    made = context()

    assert Left.TOLD == public_address(given, made)
    assert ["unusable"] == [notice.kind for notice in made.notices]
    assert "user" not in body(data={"ip_override": given})


@pytest.mark.parametrize("given", ["8.8.4", "8.8.4.4.4", "unknown", "8.8.4.4, 8.8.8.8", "x" * 200, True, {}, 134744068])
def test_what_is_no_address_is_unusable(context, given):
    assert Left.UNUSABLE == public_address(given, context())


IP_SOURCES = ("x-ttq-ct-ip-adress", "x-ttq-ct-ip-address", "ip_override")


@pytest.mark.parametrize("first", range(4))
def test_the_first_public_address_counts(body, first):
    data = {key: f"8.8.4.{number}" if number >= first else "10.0.0.1" for number, key in enumerate(IP_SOURCES)}

    assert f"8.8.4.{first}" == body(data=data, visitor={"ip": "8.8.4.3"})["user"]["ip"]


@pytest.mark.parametrize("said", ["::", "0.0.0.0", "[::]"])
def test_a_sender_can_say_that_no_address_is_to_be_sent(body, said):
    assert "user" not in body(data={"ip_override": said}, visitor={"ip": "8.8.4.4"})


@pytest.mark.parametrize("redacted", ["_uip=%3A%3A", "_uip=0.0.0.0"])
def test_a_hit_with_a_redacted_address_sends_none(web, redacted):
    headers = {"X-Forwarded-For": "8.8.4.4"}

    assert "8.8.4.4" == web("en=contact", headers=headers)[0]["user"]["ip"]
    assert "ip" not in web(f"en=contact&{redacted}", headers=headers)[0].get("user", {})


@pytest.mark.parametrize("key", ["x-ttq-ct-user-agent", "user_agent"])
def test_a_stated_agent_wins_over_the_requests(body, key):
    assert "Stated/1" == body(data={key: "Stated/1"}, visitor={"user_agent": "Seen/1"})["user"]["user_agent"]


def test_the_requests_agent_is_taken_where_none_is_stated(body):
    assert "Seen/1" == body(data={"user_agent": ""}, visitor={"user_agent": "Seen/1"})["user"]["user_agent"]


def test_an_agent_stays_as_it_is_but_for_addresses(context):
    usual = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

    assert usual == agent(usual, context())
    assert "Bot/1 (***)" == agent("Bot/1 (ann@shop.example)", context())


@pytest.mark.parametrize("given", ["01J00000000000000000000000_.tt.1", "2QXxYyZz0123456789abcdefghi", "a-b_c.d~e"])
def test_the_pixels_cookie_is_taken_as_it_is(body, given):
    assert given == body(visitor={"ttp_cookie": given})["user"]["ttp"]


@pytest.mark.parametrize(("data", "ttp"), [({"ttp": "b", "_ttp": "c"}, "b"), ({"_ttp": "c"}, "c"), ({}, None)])
def test_without_the_cookie_the_event_may_say_it(body, data, ttp):
    assert ttp == body(data=data).get("user", {}).get("ttp")
    assert "a" == body(data=data, visitor={"ttp_cookie": "a"})["user"]["ttp"]


@pytest.mark.parametrize("given", ["a b", "é", "x" * 1025, "ann@shop.example", True])
def test_what_cannot_be_the_pixels_cookie_is_unusable(context, given):
    assert Left.UNUSABLE == pixel_cookie(given, context())


@pytest.mark.parametrize("given", [None, "", " ", "NaN", "null"])
def test_no_number_is_none(context, given):
    assert Left.EMPTY == number(given, context())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"value": "14,90"}, ["properties.value: 14,90 read as 14.9"]),
        ({"value": "1.299,00 EUR"}, ["properties.value: 1.299,00 read as 1299"]),
        ({"x-ttq-pt-value": "kr. 5,00"}, ["properties.value: 5,00 read as 5"]),
        ({"x-ttq-pt-value": "Anna 5,00"}, []),
        ({"predicted_ltv": "99,5"}, ["properties.predicted_ltv: 99,5 read as 99.5"]),
        ({"value": "14.90"}, []),
        ({"value": 14.9}, []),
        ({"value": "soon"}, []),
    ],
)
def test_an_amount_written_as_people_do_is_told_with_how_it_was_read(convert, data, told):
    assert told == [one.text for one in convert(data=data).notices if one.kind == "number_read"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (2, 2), ("3", 3), (4.0, 4), (0, 0), ("0", 0), (-1, Left.UNUSABLE), (1.5, Left.UNUSABLE),
        ("some", Left.UNUSABLE), (True, Left.UNUSABLE), ("", Left.EMPTY), (None, Left.EMPTY),
    ],
)  # fmt: skip
def test_a_whole_number_is_none_below_zero_and_has_no_part(context, given, read):
    assert read == whole_number(given, context())


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("in_store", "in_store"), ("In Store", "in_store"), (" IN-STORE ", "in_store"), ("instore", "in_store"),
        ("curbside", "curbside"), ("drone", Left.UNUSABLE), (7, Left.UNUSABLE), ([], Left.UNUSABLE),
        ("", Left.EMPTY), ("undefined", Left.EMPTY), ("in_store" * 1000, Left.UNUSABLE),
    ],
)  # fmt: skip
def test_one_of_a_few_words_is_spelled_as_tiktok_does(context, given, spelled):
    clean = one_of({"in_store": "in_store", "curbside": "curbside"})

    assert spelled == clean(given, context())


@pytest.mark.parametrize(
    ("given", "sent"), [("Home delivery", "home_delivery"), ("CURBSIDE", "curbside"), ("in_store", "in_store")]
)
def test_a_delivery_is_one_of_three(body, kinds, given, sent):
    assert {"delivery_category": sent} == body(data={"delivery_category": given})["properties"]
    assert ("unusable", "properties.delivery_category") in kinds(data={"delivery_category": "by drone"})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["a", " b ", 7], ["a", "b", "7"]), ("a", ["a"]), (7, ["7"]), ('["a", "b"]', ["a", "b"]), ("[soon", ["[soon"]),
        (["a", None, "", "undefined", {}], ["a"]), (["for ann@shop.example"], ["for ***"]), ([], Left.EMPTY),
        ("", Left.EMPTY), ([None, ""], Left.EMPTY), ([{}], Left.UNUSABLE), ({"a": "b"}, Left.UNUSABLE),
    ],
)  # fmt: skip
def test_a_list_of_texts_is_read_however_it_comes(context, given, read):
    assert read == texts(given, context())


def test_a_list_of_texts_has_an_end(context):
    made = context()

    assert MOST_TEXTS == len(texts(["x"] * (MOST_TEXTS + 1), made))
    assert ["cut"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(
    ("given", "kinds"), [(7, ["id_as_number"]), (7.5, ["id_as_number"]), ("7", []), (True, []), (None, [])]
)
def test_an_id_that_is_a_number_is_a_text_with_a_notice(context, given, kinds):
    made = context()
    found = identifier(text)(given, made)

    assert found == str(given) or isinstance(found, Left)
    assert kinds == [notice.kind for notice in made.notices]


def test_what_an_order_and_a_shop_say_of_themselves_is_sent(body):
    data = {"shop_id": "de-1", "status": "submitted by ann@shop.example", "predicted_ltv": "120"}

    assert {"shop_id": "de-1", "status": "submitted by ***", "predicted_ltv": 120} == body(data=data)["properties"]
