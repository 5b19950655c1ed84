"""How what identifies a person is normalised and hashed."""

from base64 import b64encode, urlsafe_b64encode

import pytest

from tikrelay.mapping.cleaning import Left
from tikrelay.mapping.user import (
    ATT_STATUS,
    att_status,
    country,
    hash_email,
    hash_external_id,
    hash_gaid,
    hash_idfa,
    hash_name,
    hash_phone,
    hash_zip,
    place,
    sha256_hex,
    state,
    vendor_id,
)

# Text and SHA-256 as known from TikTok's and others' examples; not worked out by this code.
KNOWN = {
    "test@test.com": "f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a",
    "user@example.com": "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514",
    "+12133734253": "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd",
    "12133734253": "1f81adb30e11317806be982cc82769fbf8627833a89dd87cb24d282f71828830",
    "13800000000": "359ea74a80a57accd42a7311ed96eca04f3e631d0ab34ea76808c543240d8a68",
    "+8613800000000": "cc0058bc7784ae0358acf0c091025c7a69d400e148d8688badfa029c9f8c686e",
    "UserABC": "cf1c946b7e2c680eae1b76b911030ab8fa12f296c19b906e1896d7f88351c46e",
    "userabc": "be8ad092983c623b89adeac08d12e718e64443d54e06e6e81b61ec48f06d0b76",
    "jane": "81f8f6dde88365f3928796ec7aa53f72820b06db8664f5fe76a7eb13e24546a2",
    "94105": "e73ac16e69f060ee98b0fda5f66f48c4648ee26950e9bab3a097389853fd859e",
    "münchen": "f75c175f552c8b2bf46ef4b282ee782c81cf8687f66a8fe8278cc56fa727503e",
}
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MEANS_NOTHING = ["", "  ", "undefined", "null", "NULL", "NaN", "(not set)", "[object Object]", None]


@pytest.mark.parametrize(("text", "digest"), KNOWN.items())
def test_a_hash_is_the_one_others_know(text, digest):
    assert digest == sha256_hex(text)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("test@test.com", "test@test.com"),
        (" Test@Test.COM ", "test@test.com"),
        ("\ttest @test.com\n", "test@test.com"),
        ("\u200btest@test.com\ufeff", "test@test.com"),
        ("user@example.com", "user@example.com"),
        ("USER@EXAMPLE.COM", "user@example.com"),
    ],
)
def test_an_email_is_hashed_without_white_space_and_in_lower_case(context, given, normal):
    assert [KNOWN[normal]] == hash_email(given, context())


@pytest.mark.parametrize(
    "kept", ["a.n.n@gmail.com", "ann+shop@gmail.com", "bücher@köln.example", "o'neil@shop.example"]
)
def test_dots_tags_and_letters_of_an_email_stay(context, sha256, kept):
    assert [sha256(kept)] == hash_email(kept.upper(), context())


@pytest.mark.parametrize(
    "given",
    [
        "ann", "@shop.example", "ann@", "ann@@shop.example", "a@b@c", "Ann <ann@shop.example>",
        "mailto:ann@shop.example",
        "x" * 320 + "@a.b", "5d41402abc4b2a76b9719d911017c592", "Xr4ilOzQ4PCOq3aQ0qbuaQ==", True, {"a": 1}, 12,
    ],
)  # fmt: skip
def test_what_is_no_email_is_unusable(context, given):
    assert Left.UNUSABLE == hash_email(given, context())


@pytest.mark.parametrize(
    "clean", [hash_email, hash_external_id, hash_name, hash_zip, hash_phone, place, country, state]
)
@pytest.mark.parametrize("given", MEANS_NOTHING)
def test_what_means_nothing_is_never_hashed(context, clean, given):
    assert Left.EMPTY == clean(given, context())


@pytest.mark.parametrize("clean", [hash_email, hash_external_id, hash_name, hash_zip, hash_phone])
@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_what_is_hashed_already_is_passed_on_in_lower_case(context, clean, spell):
    digest = KNOWN["test@test.com"]
    found = clean(f" {spell(digest)} ", context())

    assert digest == (found[0] if isinstance(found, list) else found)


@pytest.mark.parametrize("clean", [hash_email, hash_external_id, hash_name, hash_zip, hash_phone])
@pytest.mark.parametrize("given", [NOTHING, NOTHING.upper()])
def test_the_hash_of_nothing_is_not_passed_on(context, clean, given):
    assert Left.UNUSABLE == clean(given, context())


HASHED_WORDS = ["undefined", "null", "NULL", "NaN", "nan", "(not set)", "[object Object]", "objectobject", "notset"]


@pytest.mark.parametrize("clean", [hash_email, hash_external_id, hash_name, hash_zip, hash_phone])
@pytest.mark.parametrize("word", HASHED_WORDS)
def test_the_hash_of_a_word_that_means_nothing_is_not_passed_on(context, sha256, clean, word):
    assert Left.UNUSABLE == clean(sha256(word).upper(), context())


@pytest.mark.parametrize("clean", [hash_email, hash_phone])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["=", ""])
def test_a_hash_in_base64_becomes_hex(context, clean, encode, padding):
    digest = KNOWN["+12133734253"]  # has both signs in which base64url differs
    given = encode(bytes.fromhex(digest)).decode().rstrip("=") + padding

    assert [digest] == clean(f" {given} ", context())


def test_the_hash_of_nothing_in_base64_is_not_passed_on(context):
    assert Left.UNUSABLE == hash_email(b64encode(bytes.fromhex(NOTHING)).decode(), context())


def test_an_id_that_looks_like_base64_is_an_id(context, sha256):
    given = b64encode(bytes.fromhex(KNOWN["jane"])).decode()

    assert sha256(given) == hash_external_id(given, context())


@pytest.mark.parametrize("given", ["sha256:" + KNOWN["jane"], "x" * 43 + "!", "=" * 44, "x" * 42, "0x" + "a" * 62])
def test_another_form_of_a_hash_is_not_known(context, given):
    assert Left.UNUSABLE == hash_email(given, context())


@pytest.mark.parametrize(
    ("given", "country_code", "normal"),
    [
        ("+12133734253", "", "+12133734253"),
        ("+1 (213) 373-4253", "", "+12133734253"),
        ("+1.213.373.4253", "", "+12133734253"),
        ("tel:+1-213-373-4253", "", "+12133734253"),
        ("0012133734253", "", "+12133734253"),
        ("00 1 213 373 4253", "", "+12133734253"),
        ("+ 1 213 373 4253", "", "+12133734253"),
        ("+1 213 373 4253 ext. 5", "", "+12133734253"),
        ("(213) 373-4253", "US", "+12133734253"),
        ("12133734253", "US", "+12133734253"),
        ("2133734253", "US", "+12133734253"),
        ("+49 151 55501234", "", "+4915155501234"),
        ("+49 (0)151 555 01234", "", "+4915155501234"),
        ("0049 151 55501234", "US", "+4915155501234"),
        ("0151 55501234", "DE", "+4915155501234"),
        ("0151/555-01234", "DE", "+4915155501234"),
        ("0151 55501234", "de", "+4915155501234"),
        ("4915155501234", "DE", "+4915155501234"),
        ("919876543210", "IN", "+919876543210"),
        ("9198765432", "IN", "+919198765432"),
        ("07911 123456", "GB", "+447911123456"),
        ("447911123456", "GB", "+447911123456"),
        ("06 1234 5678", "IT", "+390612345678"),
        (12133734253, "US", "+12133734253"),
        (12133734253.0, "US", "+12133734253"),
        ("(+49) 151 55501234", "", "+4915155501234"),
        ("\uff0b49 151 55501234", "", "+4915155501234"),
        ("tel:0151-555-01234", "DE", "+4915155501234"),
        ("0011 49 151 55501234", "AU", "+4915155501234"),
        ("011 49 151 55501234", "US", "+4915155501234"),
        ("0151 55501234", "DEU", "+4915155501234"),
        ("34612345678", "ES", "+34612345678"),
        ("\u202a+49 151 55501234\u202c", "", "+4915155501234"),
        ("\u200e(+49) 151 55501234", "", "+4915155501234"),
        ("8 912 345-67-89", "RU", "+79123456789"),
        ("+7 912 345-67-89", "DE", "+79123456789"),
    ],
)
def test_a_phone_number_is_hashed_in_e164(context, sha256, given, country_code, normal):
    assert [sha256(normal)] == hash_phone(given, context(settings={"default_phone_country": country_code}))


@pytest.mark.parametrize("given", ["0151 55501234", "2133734253", "12133734253", "4915155501234", "(213) 373-4253"])
def test_a_country_is_never_guessed(context, given):
    made = context()

    assert Left.TOLD == hash_phone(given, made)
    assert ["phone_without_country"] == [notice.kind for notice in made.notices]


def test_a_number_without_a_country_is_said_once_and_in_its_own_words(convert):
    notices = [one for one in convert(data={"phone": "0151 55501234"}).notices if one.field == "user.phone"]

    assert [
        "user.phone: has no country code: set mapping.default_phone_country; left out, since it could not be matched"
    ] == [notice.text for notice in notices]


def test_of_several_numbers_those_with_a_country_are_sent_and_the_others_told_of(context, sha256):
    made = context()

    assert [sha256("+4915155501234")] == hash_phone("0151 55501234, +49 151 55501234", made)
    assert ["phone_without_country"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize("given", ["nobody, 0151 55501234", "0151 55501234, nobody", "0151 55501234, "])
def test_where_no_number_is_left_the_missing_country_is_what_is_told(context, given):
    assert Left.TOLD == hash_phone(given, context())


def test_repeats_in_one_text_are_hashed_once(context):
    assert [KNOWN["test@test.com"]] == hash_email("test@test.com, TEST@test.com", context())


@pytest.mark.parametrize("given", ["0049 151", "001", "+49", "abc", "12345", "1" * 16, "no 1234567 to call"])
def test_what_has_not_the_form_of_a_number_is_not_told_to_lack_a_country(context, given):
    made = context()

    assert Left.UNUSABLE == hash_phone(given, made)
    assert [] == made.notices


@pytest.mark.parametrize(
    "where",
    [
        {"user_data": {"address.country": "DE"}},
        {"user_data": {"address.country": " de "}},
        {"user_data": {"country": "DE"}},
        {"data": {"country": "de"}},
        {"user_data": {"address.country": "DE"}, "settings": {"default_phone_country": "US"}},
    ],
)
def test_the_country_of_the_events_address_is_taken(context, sha256, where):
    assert [sha256("+4915155501234")] == hash_phone("0151 55501234", context(**where))


def test_a_country_that_cannot_be_read_leaves_the_setting(context, sha256):
    made = context(user_data={"address.country": "Germany"}, settings={"default_phone_country": "DE"})

    assert [sha256("+4915155501234")] == hash_phone("0151 55501234", made)


def test_a_country_nobody_knows_is_none(context):
    assert Left.TOLD == hash_phone("0151 55501234", context(user_data={"address.country": "ZZ"}))


@pytest.mark.parametrize("given", ["+86 138 0000 0000", "0086 13800000000"])
def test_a_chinese_number_comes_with_and_without_its_country(context, given):
    assert [KNOWN["+8613800000000"], KNOWN["13800000000"]] == hash_phone(given, context())


@pytest.mark.parametrize(("form", "normal"), [("e164", "+8613800000000"), ("national", "13800000000")])
def test_a_chinese_number_comes_in_the_form_that_is_set(context, form, normal):
    assert [KNOWN[normal]] == hash_phone("+86 138 0000 0000", context(settings={"phone_cn": form}))


@pytest.mark.parametrize("given", ["+1 373-4253", "+491234567890123456", "+4912345678901234"])
def test_a_number_that_is_not_whole_or_too_long_is_unusable(context, given):
    assert Left.UNUSABLE == hash_phone(given, context())


def test_a_chinese_number_makes_a_list(body):
    assert [KNOWN["+8613800000000"], KNOWN["13800000000"]] == body(data={"phone": "+8613800000000"})["user"]["phone"]


@pytest.mark.parametrize(
    "given", ["+", "+1", "+" + "9" * 40, "call me", "+49", "+999123456789", "123", True, {}, "++", "+x"]
)
def test_what_is_no_phone_number_is_unusable(context, given):
    assert Left.UNUSABLE == hash_phone(given, context())


@pytest.mark.parametrize(
    ("given", "normal"), [("UserABC", "UserABC"), (" UserABC ", "UserABC"), ("userabc", "userabc")]
)
def test_an_external_id_is_trimmed_and_keeps_its_case(context, given, normal):
    assert KNOWN[normal] == hash_external_id(given, context())


@pytest.mark.parametrize(("given", "normal"), [("UserABC", "userabc"), (" userABC", "userabc")])
def test_an_external_id_is_written_in_lower_case_where_that_is_set(context, given, normal):
    assert KNOWN[normal] == hash_external_id(given, context(settings={"external_id_lowercase": True}))


@pytest.mark.parametrize(
    ("given", "normal"), [(77, "77"), (77.0, "77"), ("007", "007"), ("a,b", "a,b"), ("A B", "A B")]
)
def test_an_external_id_is_a_text(context, sha256, given, normal):
    assert sha256(normal) == hash_external_id(given, context())


@pytest.mark.parametrize(
    "given",
    [0, 0.0, -1, "0", "000", "-1", "-", "--", "0-0", "guest", "Guest", "GUEST_USER", "anonymous", "(not logged in)",
     "not_logged_in", "(none)", "<null>", "None", "nil", "N/A", "unknown", "0" * 64,
     "{00000000-0000-0000-0000-000000000000}", "00000000-0000-0000-0000-000000000000"],
)  # fmt: skip
def test_what_shops_write_for_a_guest_is_nobodys_id(context, given):
    assert Left.EMPTY == hash_external_id(given, context())


@pytest.mark.parametrize("given", ["0", "guest", "Anonymous", "NULL", "-1", "00000000-0000-0000-0000-000000000000"])
def test_the_hash_of_a_guest_is_not_passed_on(context, sha256, given):
    assert Left.UNUSABLE == hash_external_id(sha256(given), context())


@pytest.mark.parametrize("given", ["1", "-2", "10", "0a", "guest-17", "anna", "guestav"])
def test_what_only_resembles_a_guest_is_an_id(context, sha256, given):
    assert sha256(given) == hash_external_id(given, context())


def test_a_guest_leaves_the_next_source_its_turn(body, sha256):
    assert sha256("C-77") == body(data={"external_id": "guest", "user_id": "C-77"})["user"]["external_id"]
    assert "external_id" not in body(data={"user_id": "0"}).get("user", {})


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("Jane", "jane"), (" JANE ", "jane"), ("J a-n'e.", "jane"), ("MÜNCHEN", "münchen"),
        ("Mu\u0308nchen", "münchen"),
    ],
)  # fmt: skip
def test_a_name_is_hashed_without_punctuation_in_lower_case_and_composed(context, given, normal):
    assert KNOWN[normal] == hash_name(given, context())


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("O'Neil-Müller", "oneilmüller"), ("O\u2019Neil", "oneil"), ("O\u00b4Neil", "oneil"), ("St. John", "stjohn"),
        ("J.\u00a0R.", "jr"), ("Jean_Luc", "jeanluc"), ("王 芳", "王芳"), ("佐藤・花子", "佐藤花子"),
        ("محمد علي", "محمدعلي"),
        ("अनिता", "अनिता"), ("Łukasz", "łukasz"), ("ΣΟΦΊΑ", "σοφία"), ("e\u0301lodie", "\u00e9lodie"),
        ("Nguye\u0302\u0303n", "nguy\u1ec5n"), ("Straße", "straße"), ("Ann 2", "ann2"),
    ],
)  # fmt: skip
def test_a_name_keeps_its_accents_and_script(context, sha256, given, normal):
    assert sha256(normal) == hash_name(given, context())


@pytest.mark.parametrize("given", ["-", "'", "...", "🙂", True, []])
def test_a_name_without_letters_is_unusable(context, given):
    assert Left.UNUSABLE == hash_name(given, context())


@pytest.mark.parametrize(
    ("given", "normal"), [("94105", "94105"), (" 94 105 ", "94105"), ("941-05", "94105"), (94105, "94105")]
)
def test_a_postal_code_is_hashed_without_spaces_and_dashes(context, given, normal):
    assert KNOWN[normal] == hash_zip(given, context())


def test_a_postal_code_with_letters_is_in_lower_case_and_is_not_cut(context, sha256):
    assert sha256("sw1a1aa") == hash_zip("SW1A 1AA", context())
    assert sha256("941051234") == hash_zip("94105-1234", context())


@pytest.mark.parametrize(
    ("given", "where", "normal"),
    [
        ("94105-1234", {"country": "US"}, "94105"),
        ("94105 1234", {"country": "usa"}, "94105"),
        ("941051234", {"country": "US"}, "94105"),
        ("94105-1234", {}, "94105"),
        ("941051234", {}, "941051234"),
        ("94105-1234", {"country": "SA"}, "941051234"),
        ("94105-12", {"country": "US"}, "9410512"),
        ("SW1A 1AA", {"country": "US"}, "sw1a1aa"),
    ],
)
def test_the_first_five_digits_of_a_us_code_are_taken_where_that_is_set(context, sha256, given, where, normal):
    made = context(data=where, settings={"us_zip_first_five": True})

    assert sha256(normal) == hash_zip(given, made)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("New York", "newyork"),
        ("MÜNCHEN", "münchen"),
        ("St. Gallen", "stgallen"),
        ("L'Aquila", "laquila"),
        ("Stratford-at-Avon", "stratfordatavon"),
        ("Walton at Stone", "waltonatstone"),
        ("Castle & Rochford", "castlerochford"),
        ("Frankfurt (Main)", "frankfurtmain"),
        ("Luxembourg", "luxembourg"),
        ("東京", "東京"),
    ],
)
def test_a_city_is_written_in_lower_case_without_spaces_and_not_hashed(context, given, written):
    assert written == place(given, context())


ADDRESSES = ["ann@shop.example", "ann @ shop.example", "ann\t@ shop.example", "ann@shop", "ann%40shop.example",
             "ann" + "%" + "25" * 12 + "40shop.example", "ann%20@%20shop.example", "ann\uff20shop.example",
             "ann&#64;shop.example", "ann&commat;shop", r"ann\u0040shop.example", "ann (at) shop.example",
             "ann[AT]shop.example", "ann at shop.example", "ann at shop dot example", "YW5uQHNob3AuZXhhbXBsZQ==",
             "YW5uQHNob3AuZXhhbXBsZQ", "YUB4LmRl", "Kiel, ann @ shop.example", "+49 151 55501234"]  # fmt: skip


@pytest.mark.parametrize("given", ADDRESSES)
@pytest.mark.parametrize("clean", [place, state, country, hash_zip])
def test_what_holds_somebodys_address_is_no_place(context, clean, given):
    assert Left.UNUSABLE == clean(given, context())


@pytest.mark.parametrize("given", ["015155501234", "-", True, "x" * 400])
def test_what_reads_like_no_city_is_none(context, given):
    assert Left.UNUSABLE == place(given, context())


@pytest.mark.parametrize(
    ("given", "written"),
    [("CA", "ca"), ("US-CA", "ca"), ("de-by", "by"), ("California", "california"), ("New York", "newyork")],
)
def test_a_state_is_the_part_that_is_the_states(context, given, written):
    assert written == state(given, context())


@pytest.mark.parametrize(("given", "written"), [("DE", "de"), (" us ", "us"), ("gb", "gb")])
def test_a_country_is_two_letters_in_lower_case(context, given, written):
    assert written == country(given, context())


@pytest.mark.parametrize(
    ("given", "written"), [("DEU", "de"), ("usa", "us"), ("UK", "gb"), ("XKX", None), ("XK", "xk")]
)
def test_a_country_of_three_letters_becomes_two(context, given, written):
    assert (written or Left.UNUSABLE) == country(given, context())


@pytest.mark.parametrize("given", ["Germany", "Deutschland", "ABC", "D", "49", "DÉ", True])
def test_what_is_no_country_code_is_unusable(context, given):
    assert Left.UNUSABLE == country(given, context())


@pytest.mark.parametrize(
    "given",
    [
        ["test@test.com", "user@example.com"],
        '["test@test.com", "user@example.com"]',
        "test@test.com,user@example.com",
        "test@test.com, USER@example.com ,",
        {"0": "test@test.com", "1": "user@example.com"},
        '{"0": "test@test.com", "1": "user@example.com"}',
        ['["test@test.com", "user@example.com"]'],
        ["test@test.com", "TEST@test.com ", "no address", None, "user@example.com"],
        [KNOWN["test@test.com"].upper(), "user@example.com"],
    ],
)
def test_several_emails_are_a_list_without_repeats(body, given):
    expected = [KNOWN["test@test.com"], KNOWN["user@example.com"]]

    assert expected == body(data={"x-ttq-ud-email": given})["user"]["email"]


@pytest.mark.parametrize("given", ["test@test.com", ["test@test.com"], ["", "test@test.com", "nobody"]])
def test_one_email_is_a_string(body, given):
    assert KNOWN["test@test.com"] == body(data={"email": given})["user"]["email"]


def test_several_external_ids_and_phones_are_lists(body, sha256):
    data = {"external_id": ["A", "B"], "phone": ["+12133734253", "+4915155501234"]}
    user = body(data=data)["user"]

    assert [sha256("A"), sha256("B")] == user["external_id"]
    assert [sha256("+12133734253"), sha256("+4915155501234")] == user["phone"]


def test_no_more_than_twenty_of_one_kind_are_sent(body):
    assert 20 == len(body(data={"external_id": [str(number) for number in range(1, 51)]})["user"]["external_id"])


@pytest.mark.parametrize("given", [[], {}, [None], ["", "undefined"], "[]"])
def test_a_list_of_nothing_is_nothing(body, kinds, given):
    assert "user" not in body(data={"email": given})
    assert ("unusable", "user.email") not in kinds(data={"email": given})


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"email": "nobody"}, "user.email"),
        ({"phone": "+49 151"}, "user.phone"),
        ({"country": "Germany"}, "user.country"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_a_notice(body, kinds, data, field):
    assert "user" not in body(data=data)
    assert ("unusable", field) in kinds(data=data)


APPLES = "AEBE52E7-03EE-455A-B3C4-E57283966239"
NO_DEVICE = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("given", [APPLES, APPLES.lower(), f" {APPLES} "])
def test_an_advertising_id_is_hashed_in_the_case_its_system_writes(context, sha256, given):
    assert sha256(APPLES) == hash_idfa(given, context())
    assert sha256(APPLES.lower()) == hash_gaid(given, context())


@pytest.mark.parametrize("clean", [hash_idfa, hash_gaid])
def test_an_advertising_id_hashed_already_is_passed_on(context, clean):
    assert KNOWN["jane"] == clean(KNOWN["jane"].upper(), context())


@pytest.mark.parametrize("clean", [hash_idfa, hash_gaid, vendor_id])
def test_an_id_of_zeros_is_never_sent(context, clean):
    assert Left.WITHHELD == clean(NO_DEVICE, context())


@pytest.mark.parametrize("clean", [hash_idfa, hash_gaid])
def test_the_hash_of_zeros_is_never_sent(context, sha256, clean):
    assert Left.WITHHELD == clean(sha256(NO_DEVICE), context())


@pytest.mark.parametrize("clean", [hash_idfa, hash_gaid])
@pytest.mark.parametrize("given", ["x", APPLES[1:], APPLES.replace("-", ""), "ann@shop.example", True, 7])
def test_what_is_no_advertising_id_is_unusable(context, clean, given):
    assert Left.UNUSABLE == clean(given, context())


@pytest.mark.parametrize(
    ("given", "kept"),
    [(APPLES, APPLES), (f" {APPLES.lower()} ", APPLES.lower()), ("ann@shop.example", None), ("a b", None)],
)
def test_an_id_of_a_vendor_is_sent_as_it_is_unless_it_is_somebodys_address(context, given, kept):
    assert (kept or Left.UNUSABLE) == vendor_id(given, context())


@pytest.mark.parametrize("status", ATT_STATUS)
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title, lambda word: word.replace("_", " ")])
def test_a_tracking_status_is_one_of_five_words_in_any_case(context, status, spell):
    assert status == att_status(spell(status), context())


@pytest.mark.parametrize(
    ("given", "written"), [("notDetermined", "NOT_DETERMINED"), ("3", None), ("yes", None), (3, None), (True, None)]
)
def test_a_tracking_status_is_read_as_apple_spells_it_and_no_other_word_is(context, given, written):
    assert (written or Left.UNUSABLE) == att_status(given, context())
