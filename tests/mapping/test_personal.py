"""What in a text gives a person or a secret away."""

import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tikrelay.mapping.personal import (
    LONGEST_MATCH,
    gives_away,
    mask,
    mask_and_cut,
    mask_text,
    parameter_gives_away,
    text_gives_away,
    value_gives_away,
)

EMAILS = ["ann@shop.example", "Ann.Lee+x@mail.shop.example", "ann%40shop.example", "ann%2540shop.example",
          "ann@bücher.de",
          "ANN@SHOP.EXAMPLE", "x" * 80 + "@shop.example", "ann\uff20shop.example", "ann\ufe6bshop.example",
          "ann@shop\u3002example", "ann%40shop%2Eexample", "ann%25252540shop%252Eexample", "ann%EF%BC%A0shop.example",
          "ann&#64;shop.example", "ann&#x40;shop.example", "ann&commat;shop.example",
          r"ann\u0040shop.example",
          "ann @ shop.example", "ann@ shop.example", "ann @shop.example", "ann\t@\tshop.example",
          "ann   @   shop.example",
          "ann\u00a0@\u3000shop.example", "ann\n@\r\nshop.example", "ann%20@%20shop.example", "ann+@+shop.example",
          "ann%20%40%20shop.example", "ann%2520%2540%2520shop.example", "ann+%40+shop.example",
          "ann &#64; shop.example",
          "ann\u200b @ \u200bshop.example", "ann @ \uff20 shop.example", "ann\u034f@shop\ufe0f.example",
          "ann@[192.0.2.77]", "ann@[IPv6:2001:db8::1]", "ann%40%5B192.0.2.77%5D", '"ann lee"@shop.example',
          "YW5uQHNob3AuZXhhbXBsZQ==", "YW5uQHNob3AuZXhhbXBsZQ", "YUB4LmRl", "YW5uIEAgc2hvcC5leGFtcGxlCg=="]  # fmt: skip
PHONES = ["+49 151 55501234", "+4915155501234", "+1 (213) 373-4253", "%2B4915155501234", "%252B4915155501234",
          "004915155501234", "0049 151 55501234", "+49.151.555.01234",
          "+49\u2013151\u201355501234", "+49\u00a0151\u202f55501234", "\uff0b4915155501234",
          "+\u0664\u0669151555\u0660\u06611234",
          "+(49) 151 55501234", "+%2849%29151%2E55501234", "(213) 373-4253", "tel:0151-55501234",
          "+49\u034f151\u034f55501234", "\ufe0f\u20e3".join("+4915155501234"), "+49\u2800151\U000e010155501234",
          "+49\u200b151\u200b55501234", "+49%E2%80%AF151%E2%80%AF55501234", "005215512345678",
          "0049 151 55501234 0049 151 55501235", "+1 213 373 4253 213 373 4254 213 373 4255"]  # fmt: skip
# Numbers that name no country, as people write them.
NATIONAL = ["213-373-4253", "1-213-373-4253", "213.373.4253", "1 213 373 4253", "213 - 373 - 4253", "213/373-4253",
            "213%20373%204253", "213\u2013373\u20134253", "0151 55509876", "0151/55509876", "0151-555-09876",
            "0151 / 555 098 76", "0151%2055509876", "0151\u00a055509876", "030-1234567", "020 7946 0958",
            "06-12345678", "02 123 4567", "02 123 45 67", "08-123 456 78", "03-1234-5678", "02-2012-3456",
            "01 23 45 67 89", "06.12.34.56.78", "06-12 34 56 78", "0 532 123 45 67", "06 30 123 4567",
            "06-30-1234567", "0151\u316455509876"]  # fmt: skip
NO_NATIONAL = ["01-02-2026", "01/02/2026", "01/02/26", "2026-01-02", "2026-01-02 10:30", "12/05/2026 1430",
               "01/02/2026 - 05/02/2026", "05/2026 - 06/2026", "01/02 - 05/02/2026", "09/05/26 - 12/05/26",
               "2026-01-02/2026-01-09", "01-02-2026 10:30:00", "2026-11-22 10:05 123 4567", "08:00-12:00",
               "08-12 13-17 08-14", "0-3 months 10-12", "02/04/06/08/10/12", "05-10-15-20", "200x300x4000",
               "100-200-300", "0,99", "0.5 - 1.5", "010.123.045.067", "192.168.100.200", "1.234.567,89",
               "4006381333931", "4 012345 678901", "0123456789012", "(01)09501101530003",
               "978-3-16-148410-0", "978-0-306-40615-7", "0-306-40615-2", "0 306 40615 2", "0815 2024",
               "aaaaaaaa-0151-4555-8012-aaaaaaaaaaaa", "A0151-55509876", "302-1234567-1234567", "4711-0815-1234",
               "213-373-42531", "5213-373-4253", "113-373-4253", "213-173-4253", "0151-5550987654321"]  # fmt: skip
# What is neither a letter nor a digit, and what stands for such a sign in an address of the web.
BETWEEN = [
    "|",
    "#",
    "+",
    "*",
    "-",
    "~",
    "!",
    "$",
    "_",
    ".",
    "%20",
    "%7C",
    "%2C",
    "%2520",
    "%257C",
    "\u200b",
    "\u2060",
    "\u00b7",
    "\u2192",
    "",
    "@",
    "^",
    "`",
    "{",
    "}",
    "[",
    "]",
    "\\",
    "%",
    *" ,;:<>()'/=&?\"\n\u00a0\u3000\uff0c",
]
HARMLESS = ["", "12345678", "0012345678", "00123456789012", "2026-11-22T10:12:25+01:00", "50% off", "a@b", "@ann",
            "1+1",
            "user at shop", "E.C.P.0012345678_-", "10.20.30.40", "00000000000", "mug+blue", "5+12",
            "+10 - 20 - 30", "+1 2 3 4 5", "hotel:12345678", "(100) 200-3000", "size (213)", "größe 10", "東京 2024",
            "0049123456787", "Kabel 0049123456787", "ean:0049123456787", "%0012345678", "logo@2x.png", "@x.de",
            "R&B &amp; Soul", "C:\\u0040", "a=b", "100%", "1\u20132",
            "5 @ 3.20", "2 @ 1.5kg", "3 @ 9.99, 4 @ 8.99", "@home", "lunch @ Joe's", "Dinner @ St. Pauli",
            "icon @2x.png", "and then, @shop.example", "Made in QATAR", "Quality AB", "YW5uQHNob3A",
            "Q2F0ZWdvcnkAQ2F0ZWdvcnk",
            "xYW5uQHNob3AuZXhhbXBsZQ"]  # fmt: skip


@pytest.mark.parametrize("text", [*EMAILS, *PHONES])
@pytest.mark.parametrize("around", ["{}", "gift for {} now", "({})", "a={}", "<{}>", "'{}'", "x;{};y", "/p/{}/q"])
def test_an_address_in_a_text_is_masked(text, around):
    masked = mask(around.format(text))

    assert around.format("***") == masked.replace("+***", "***")


@pytest.mark.parametrize("number", NATIONAL)
@pytest.mark.parametrize("around", ["{}", "call {} now", "({})", "Tel.: {}.", "a={}", "x;{};y", "call:{}", "a/{}/b"])
def test_a_number_without_a_country_is_masked_in_words_people_type(number, around):
    typed = around.format(number)

    assert (around.format("***"), True) == (mask_text(typed), text_gives_away(typed))
    assert around.format("***") == mask_and_cut(typed, longest=100)


@pytest.mark.parametrize("number", NATIONAL)
def test_a_number_without_a_country_stays_where_an_articles_is_likelier(number):
    assert (number, number) == (mask(number), mask(number, is_products=True))
    assert number == mask_and_cut(number, longest=100, is_typed=False)
    assert not parameter_gives_away(number)


@pytest.mark.parametrize("text", NO_NATIONAL)
@pytest.mark.parametrize("around", ["{}", "Mug {}", "Mug ({}) blue", "from {}, blue"])
def test_dates_times_sizes_prices_and_numbers_of_products_stay_in_words_people_type(text, around):
    shown = around.format(text)

    assert (shown, False) == (mask_text(shown), text_gives_away(shown))


def test_the_bracket_around_an_area_goes_with_the_number():
    assert "call *** now, or ***" == mask_text("call (0151) 555-098 76 now, or (030) 1234567")


@pytest.mark.parametrize("second", ["0151 55509876", "213-373-4253", "+49 151 55501234", "ann@shop.example"])
@pytest.mark.parametrize("between", [" ", "/", ", ", ":", "|", " or "])
@pytest.mark.parametrize("first", ["0151 55501234", "213-373-4253", "01/02/2026", "2026-01-02", "b@c.example"])
def test_a_number_without_a_country_is_seen_beside_others_and_dates(first, between, second):
    masked = mask_text(f"{first}{between}{second}")

    assert not re.search("555|373|ann|b@", masked)
    assert masked == mask_text(masked)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_nobodys_stays(text):
    assert (text, False) == (mask(text), value_gives_away(text))


@pytest.mark.parametrize(
    "text", [*EMAILS, *PHONES, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.x", "/a?email=x", "/a%3Ftoken%3Dx"]
)
def test_a_value_that_gives_away_is_seen(text):
    assert value_gives_away(text)


@pytest.mark.parametrize(
    "name",
    [
        "email", "e-mail", "E_Mail", "eMail", "userEmail", "user_email", "user[email]", "useremail", "emailAddress",
        "mail",
        "tel", "phone", "phoneNumber", "phone_number", "mobile", "telefon", "token", "access_token", "csrftoken",
        "idToken",
        "password", "passwd", "pwd", "secret", "client_secret", "auth", "apikey", "api_key", "sessionid", "session_id",
        "firstname", "first_name", "last-name", "fullName", "username", "name", "address", "dob", "iban", "jwt", "otp",
        "phone1", "email2", "userMobile", "season_pass", "your-name", "billing[address][street]", "x-api-key",
        "cell", "home_cell", "cellphone", "cell_number", "fax", "faxNumber", "card", "gift-card", "card_number",
        "ccnum", "cc_number", "pan", "passport_no", "tax_id", "driversLicense",
        "account_number", "date_of_birth", "maiden_name",
        "national_id", "cpf",
        "SAMLResponse", "mkt_tok", "user%5Bemail%5D", "em%2561il", "pr\u00e9nom", "tel\u00e9fono", "EMailAddress",
        "\uff45mail", "e\u200bmail", "x" * 300 + "_email",
    ],
)  # fmt: skip
def test_a_parameter_is_known_by_its_name(name):
    assert gives_away(name, "x")


@pytest.mark.parametrize(
    "name",
    [
        "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "ttclid", "gclid", "fbclid", "q",
        "page", "id",
        "sku", "color", "size", "product_name", "ref", "lang", "hotel", "intel", "variant", "mailing", "sort",
        "mobile_menu", "session_start", "login_box", "pass_type", "pin_color", "smartphone", "headphones",
        "gr\u00f6\u00dfe",
        "event_name", "", "1", "\u200b", "%", "passage", "order", "brand_name",
        "filter[brand]", "card_type", "cell_color", "fax_type", "cc", "plz", "zip", "pancake", "saucepan", "cardigan",
        "excellent", "cards",
    ],
)  # fmt: skip
def test_a_harmless_parameter_is_known_as_one(name):
    assert not gives_away(name, "email")


@pytest.mark.parametrize("name", ["ann@shop.example", "YW5uQHNob3AuZXhhbXBsZQ", "u_YW5uQHNob3AuZXhhbXBsZQ"])
def test_a_name_can_be_an_address_itself(name):
    assert gives_away(name, "")


@pytest.mark.parametrize("address", [*EMAILS[:4], *PHONES[:2]])
@pytest.mark.parametrize("longest", [20, 200])
def test_a_cut_leaves_no_piece_of_an_address(address, longest):
    for before in range(longest + 1):
        cut = mask_and_cut("-" * before + " " + address, longest=longest)

        assert "" == cut.strip("- *")
        assert len(cut) <= longest


@pytest.mark.parametrize("longest", [1, 100, 1024, 2048])
@pytest.mark.parametrize("ahead", range(17))
def test_a_cut_far_behind_many_addresses_leaves_none(longest, ahead):
    """Stars are shorter than addresses, so that what the cut goes through moves forward."""
    text = "-" * ahead + " " + "ann@shop.example " * 2000

    assert set("-* ") >= set(mask_and_cut(text, longest=longest))


def test_a_text_within_its_length_is_only_masked():
    assert "a ***" == mask_and_cut("a ann@shop.example", longest=LONGEST_MATCH)


@pytest.mark.parametrize("piece", ["a", "a.", "@", "%", "%40a", "+1", "00 1", "?a=1&", "%3F", "a@b.", "0049151 "])
def test_a_long_text_is_read_to_its_end(piece):
    """A search that starts over at each letter would not end within the test's time limit."""
    text = piece * (200_000 // len(piece)) + "\u00a0ann@shop.example"

    assert mask(text).endswith("***")
    assert value_gives_away(text)


@pytest.mark.parametrize(
    "text",
    [
        "001 2 3 4 5 6 7 8 9 0 1 2 3 4 ",
        "0049 1 ",
        "ann%40x.y ",
        "a@",
        "%2540",
        "+1-",
        "a%252540b%25252E",
        "(213",
        "ann@x.de|",
        "@x.de",
        "@x.",
        "@ ",
        " @",
        "@" + " " * 40,
        " " * 40 + "@x.de",
        '"@x.de',
        "YW5uQHNob3AuZXhhbXBsZQ",
        "YW5uQHNob3AuZXhhbXBsZQ.",
        "0012345678905 ",
        "+4915155501234|",
        "%7C0049151",
        "a=1;",
        "&#64;",
        "\uff20",
        "tel:1",
        "0 ",
        "01-",
        "01/02/",
        "0151 2026 ",
        "0%2520",
        "213-",
        "213%2525",
        "1-213-373-",
        "213-373-4253",
        "5:06-12345678 ann@x.de",
        "ann@x.de5:06-12345678/",
        "aaaaaaaa-0151-4555-8012-aaaaaaaaaaaa",
    ],
)
def test_a_hostile_text_costs_no_more_than_a_moment(text):
    began = time.process_time()
    mask_text(text * (200_000 // len(text)))

    assert time.process_time() - began < 5  # a bound on a hang; it takes about a tenth of a second


def test_a_text_in_which_nothing_is_found_keeps_its_own_signs():
    size = "\uff11\uff10\u2013\uff12\uff10\u00a0cm"

    assert size == mask(size)


@pytest.mark.parametrize(
    "value", ["%7B%22email%22%3A%22x%22%7D", '{"a":{"first_name" : "Ann"}}', "email%3Dx", "a=1&tel=2"]
)
def test_a_parameter_that_holds_others_is_judged_by_their_names(value):
    assert parameter_gives_away(value)


@pytest.mark.parametrize(
    "value", ["%7B%22size%22%3A%22x%22%7D", '{"product_name": "Mug"}', "a=b", "name:asc", "a==", "email="]
)
def test_a_parameter_that_holds_harmless_ones_stays(value):
    assert not parameter_gives_away(value)


@pytest.mark.parametrize("text", ['"ann"@shop.example', "'ann' @ shop.example", "ann@@ shop.example"])
def test_a_name_in_quotes_and_a_doubled_sign_hide_no_address(text):
    assert "***" == mask(text).strip("\"'")


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@given(
    address=st.from_regex(
        r"[A-Za-z0-9][A-Za-z0-9._+-]{0,40}@[A-Za-z0-9][A-Za-z0-9-]{0,40}\.[a-z]{2,9}", fullmatch=True
    ),
    end=st.sampled_from(["", "\n"]),
)
def test_an_address_in_base64_is_masked(encode: Callable[[bytes], bytes], address: str, end: str):
    text = encode((address + end).encode()).decode()

    assert ("***", "***") == (mask(text), mask(text.rstrip("=")))
    assert "/p/***/q" == mask(f"/p/{text}/q", is_products=True)


@pytest.mark.parametrize(
    "text",
    [
        "o'neil@shop.example", "ann/lee@shop.example", " ann@shop.example", "mailto:ann@shop.example",
        "ann@shop.example,bob@shop.example", "<ann@shop.example>", '"Ann" <ann@shop.example>',
        '{"email":"ann@shop.example"}', "to Ann, ann@shop.example",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_an_address_in_base64_is_masked_with_what_stands_around_it(encode: Callable[[bytes], bytes], text: str):
    encoded = encode(text.encode()).decode()

    assert "***" == mask(encoded).rstrip("+-") == mask(encoded.rstrip("=")).rstrip("+-")


@given(raw=st.binary(min_size=6, max_size=150))
def test_what_is_no_address_in_base64_stays(raw: bytes):
    text = b64encode(b"\xff" + raw).decode()

    assert text == mask(text, is_products=True)


def test_a_number_without_a_country_behind_its_zeros_is_nobodys():
    assert mask("0012345678 and 00999123456789") == "0012345678 and 00999123456789"
    assert mask("0049 151 55501234") == "***"
    assert mask("0012345678 0049 151 55501234") == "0012345678 ***"


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("first", ["ann@x.de", "ann%40x.de", "+49 151 55501234", "logo@2x.png", "0012345678 "])
@pytest.mark.parametrize("second", ["bob@y.de", "bob%40y.de", "bob&#64;y.de", "+49 151 55501235", "%2B4915155501235"])
def test_what_follows_an_address_is_masked_too_whatever_is_between(first, between, second):
    masked = mask(f"{first}{between}{second}")

    assert not re.search("ann|bob|555", masked)
    assert masked == mask(masked)


@pytest.mark.parametrize("between", ["|", "%7C", "%257C", "%25257C", "/", "-", " ", "#", "%20"])
def test_a_number_with_two_zeros_is_seen_behind_any_sign(between):
    assert f"n{between}***" == mask(f"n{between}0049 151 55501234")
    assert "555" not in mask(f"ann@x.de{between}0049 151 55501234")


def test_stars_do_not_hide_the_address_around_them():
    assert ("***", "***") == (mask("foo@+49 151 55501234.de"), mask("+4915155501234@x.de"))


@pytest.mark.parametrize("masked", ["***", "***@x.de", "***|bob@x.de", "bob@***.de", "*** 0049 151 55501234"])
def test_a_text_with_stars_is_masked_like_any_other(masked):
    assert "***" == mask(masked).replace("*** ***", "***")


PIECES = [
    "ann", "ann@x.de", "@", "@x.de", "%40", "&#64;", ".de", "x.", "0049", "0049 151 55501234", "+49", "+4915155501234",
    " @ ", "\t@", "YW5uQHguZGU=", "YW5uQHguZGU",
    "151", "5550", "1", "0151", "06", "213", "373", "4253", "2026", "5:",
    "4 012345 678901", "tel:", "tel:0151-55501234", "(213) 373-4253", "%2B", "%2E", "2x.png", "0012345678905",
    *BETWEEN,
]  # fmt: skip


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), is_products=st.booleans())
@example(pieces=["ann", "@", "x.", "@x.de", "%40", "x.", "de"], is_products=False)
@example(pieces=["@x.de", "%40", "x.", "de"], is_products=False)
def test_masking_leaves_no_address_and_has_nothing_to_do_a_second_time(pieces: list[str], is_products: bool):
    masked = mask("".join(pieces), is_products=is_products)

    assert masked == mask(masked, is_products=is_products)
    assert [] == [one for one in re.findall(r"[a-z.*]+@([a-z]{1,9}\.[a-z]{2,9})", masked) if one != "2x.png"]


@given(pieces=st.lists(st.sampled_from([*PIECES, *NATIONAL]), max_size=12))
@example(pieces=["ann@x.de", "5:", "06", "-", "12345678"])
@example(pieces=["ann@x.de", "4 012345 678901"])
@example(pieces=["0151 55501234", "a-", "0151-4555-8012-aaaaaaaaaaaa"])
def test_masking_what_people_type_has_nothing_to_do_a_second_time(pieces: list[str]):
    masked = mask_text("".join(pieces))

    assert masked == mask_text(masked) == mask(masked)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), longest=st.integers(1, 30))
def test_a_cut_text_holds_no_address(pieces: list[str], longest: int):
    cut = mask_and_cut("".join(pieces), longest=longest)

    assert len(cut) <= longest
    assert not re.search(r"ann@x\.de|15155501234|55501234|213-373-4253", cut)


@pytest.mark.parametrize("number", ["0012345678905", "0012345678906", "0033123456787", "00442079460958"])
def test_where_people_type_a_number_that_could_be_somebodys_is_masked_though_it_could_be_a_products(number):
    assert ("***", True) == (mask(number), value_gives_away(number))


@pytest.mark.parametrize("number", ["0012345678905", "00012345678905", "0049123456787", "004915155015"])
@pytest.mark.parametrize("around", ["{}", "/p/{}", "/p/{}/mug", "/p/{}.html", "sku-{}"])
def test_where_products_are_expected_their_numbers_stay(number, around):
    text = around.format(number)

    assert (text, False) == (mask(text, is_products=True), value_gives_away(text, is_products=True))


@pytest.mark.parametrize("number", ["0012345678906", "004915155501234", "0049 151 55501234", "004915155501 234"])
def test_what_is_no_products_number_is_masked_there_too(number):
    assert "***" == mask(number, is_products=True)


def test_a_long_text_that_is_all_somebodys_becomes_stars():
    assert "***" == mask_and_cut("ann@shop.example|" + "x" * 5000, longest=100)
