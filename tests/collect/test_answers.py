"""What goes back, header by header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.base.errors import InputRefused
from tikrelay.collect import answers


def test_the_exact_origin_is_allowed_with_credentials():
    expected = [
        (b"access-control-allow-origin", b"https://www.shop.example:8443"),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]

    assert expected == answers.cors("https://www.shop.example:8443")


def test_a_page_without_an_origin_of_its_own_is_allowed_by_the_word_for_it():
    assert (b"access-control-allow-origin", b"null") in answers.cors("null")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "*",
        "https://a b",
        "https://a\r\nx: y",
        "https://\u00e9.example",
        "a" * 400,
        "https://" + "a" * 301,
        "https://ann@shop.example",
        "https://+4915155501234",
    ],
)
def test_what_is_no_origin_is_not_repeated(origin):
    assert [] == answers.cors(origin)


def test_a_preflight_allows_the_headers_it_names():
    headers = dict(answers.preflight("content-type, authorization").headers)

    assert b"content-type, authorization" == headers[b"access-control-allow-headers"]
    assert b"GET, POST, OPTIONS" == headers[b"access-control-allow-methods"]
    assert b"86400" == headers[b"access-control-max-age"]


@given(st.text() | st.sampled_from(["a,\xa0b", "a,\x0bb", "a\r\nb: c", "a,\x85b", "a," * 50, "\ud800"]))
def test_no_asked_header_can_break_an_answer(asked):
    headers = dict(answers.preflight(asked).headers)

    assert headers.get(b"access-control-allow-headers", b"").decode("ascii").replace("\t", " ").isprintable()


def test_nothing_of_a_hit_is_cached():
    for answer in (answers.no_content(), answers.pixel(), answers.of_json(200, {})):
        assert b"no-cache, no-store, must-revalidate" == dict(answer.headers)[b"cache-control"]
        assert b"cross-origin" == dict(answer.headers)[b"cross-origin-resource-policy"]


def test_a_refusal_has_the_one_shape_of_errors():
    refused = answers.refusal(InputRefused(401, "wrong_data_key", "no key", hint="send one"))

    assert b'{"error":{"code":"wrong_data_key","message":"no key","hint":"send one"}}' == refused.body
    assert b"Bearer" == dict(refused.headers)[b"www-authenticate"]


def test_a_full_disk_asks_to_come_again():
    assert (503, b"5") == (answers.unavailable().status, dict(answers.unavailable().headers)[b"retry-after"])
