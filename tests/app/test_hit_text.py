"""Which requests a text stands for, as browsers and people write them; nothing is run, and all is bounded."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.app.hits.request import Request, read_request
from tikrelay.app.hits.text import MOST_HITS, hits_of
from tikrelay.base.errors import InputRefused

URL = "https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2&en=page_view"
BATCH = "https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2"
BODY = 'en=page_view\r\nen=purchase&ep.note=it\'s%20"50"!'


def one(text: str, **more: Any) -> Request:
    (request,) = hits_of(text, **more).requests
    return request


# Addresses.


def test_an_address_is_a_get():
    assert Request(url=URL) == one(URL)


@pytest.mark.parametrize("around", ["{}\n", "'{}'", '"{}"', "\ufeff{}", "  {}  "])
def test_quotes_and_blanks_around_an_address_are_taken_off(around: str):
    assert URL == one(around.format(URL)).url


def test_lines_below_an_address_are_its_body():
    request = one(f"{BATCH}\nen=search\nen=contact")

    assert ("POST", "en=search\r\nen=contact") == (request.method, request.body)


def test_a_body_may_come_beside_the_address():
    assert "en=search" == one(BATCH, body="en=search").body


def test_each_line_with_an_address_is_a_hit():
    assert [URL, URL + "2"] == [request.url for request in hits_of(f"{URL}\n{URL}2\n").requests]


# HAR.


def entry(url: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"request": {"method": method, "url": url, "headers": [], **more}, "response": {"status": 204}}


def har(*entries: Any) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def test_of_a_recording_the_hits_are_taken_and_the_others_counted_and_named():
    google = "https://region1.google-analytics.com/g/collect?v=2&tid=G-1&cid=1.2&en=scroll"
    page = "https://shop.example/thanks?email=ann%40shop.example"
    found = hits_of(har(entry(page), entry(URL), entry(page), entry("https://cdn.example/a.js"), entry(google)))

    assert [URL, google] == [request.url for request in found.requests]
    assert (("GET shop.example/thanks", 2), ("GET cdn.example/a.js", 1)) == found.left_out


@pytest.mark.parametrize(
    "other",
    [
        entry("https://a.clarity.ms/collect", "POST"),
        entry("https://www.google-analytics.com/j/collect?v=1"),
        entry("https://gw.shop.example/healthy"),
        entry(URL, "OPTIONS"),
        entry("http://[broken"),
    ],
)
def test_what_only_looks_like_a_hit_is_left_out(other: dict[str, Any]):
    found = hits_of(har(entry(URL), other))

    assert (1, 1) == (len(found.requests), len(found.left_out))


def test_headers_cookies_and_body_of_an_entry_come_along():
    recorded = entry(
        BATCH,
        "POST",
        headers=[
            {"name": ":authority", "value": "gw"},
            {"name": "User-Agent", "value": "Phone"},
            {"name": "Content-Length", "value": "999"},
            {"name": "X-Forwarded-For", "value": "8.8.8.8"},
        ],
        cookies=[{"name": "ttclid", "value": "E.C.P.a"}, {"name": "_ttp", "value": "p"}],
        postData={"mimeType": "text/plain;charset=UTF-8", "text": BODY},
    )

    expected = {
        "user-agent": "Phone",
        "x-forwarded-for": "8.8.8.8",
        "cookie": "ttclid=E.C.P.a; _ttp=p",
        "content-type": "text/plain;charset=UTF-8",
    }
    assert Request(method="POST", url=BATCH, headers=expected, body=BODY) == one(har(recorded))


def test_a_cookie_header_wins_over_the_list_of_cookies():
    recorded = entry(URL, headers=[{"name": "Cookie", "value": "a=1"}], cookies=[{"name": "b", "value": "2"}])

    assert {"cookie": "a=1"} == one(har(recorded)).headers


@pytest.mark.parametrize(
    ("posted", "body"),
    [
        ({"params": [{"name": "event_name", "value": "a b"}], "mimeType": "x"}, "event_name=a+b"),
        ({"text": base64.b64encode(b"en=search").decode(), "encoding": "base64"}, "en=search"),
        ({"text": "no base64", "encoding": "base64"}, "no base64"),
    ],
)
def test_a_body_is_read_in_each_form_a_recording_has(posted: dict[str, Any], body: str):
    assert body == one(har(entry(BATCH, "POST", postData=posted))).body


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(entry(URL)),
        json.dumps(entry(URL)["request"]),
        json.dumps({"url": URL}),
        json.dumps([{"url": URL, "method": "GET"}]),
        json.dumps({"url": URL, "headers": {}}),
    ],
)
def test_one_entry_or_request_is_enough(text: str):
    assert Request(url=URL) == one(text)


def test_a_recording_without_a_hit_says_what_is_in_it():
    with pytest.raises(InputRefused, match=r"GET shop\.example/ \(1\)") as caught:
        hits_of(har(entry("https://shop.example/?q=secret")))

    assert "secret" not in str(caught.value)
    assert 65 == caught.value.exit_code


# curl.

CHROME_BASH = r"""curl 'https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2' \
  -H 'accept: */*' \
  -H 'content-type: text/plain;charset=UTF-8' \
  -b 'ttclid=E.C.P.a; _ttp=p' \
  -H 'sec-ch-ua: "Chromium";v="140"' \
  -H 'user-agent: Mozilla/5.0 (X11)' \
  --data-raw $'en=page_view\r\nen=purchase&ep.note=it\'s%20"50"\u0021'"""
CHROME_CMD = r"""curl ^"https://gw.shop.example/g/collect?v=2^&tid=G-1^&cid=1.2^" ^
  -H ^"accept: */*^" ^
  -H ^"content-type: text/plain;charset=UTF-8^" ^
  -b ^"ttclid=E.C.P.a; _ttp=p^" ^
  -H ^"sec-ch-ua: ^\^"Chromium^\^";v=^\^"140^\^"^" ^
  -H ^"user-agent: Mozilla/5.0 (X11)^" ^
  --data-raw ^"en=page_view^

en=purchase^&ep.note=it's^%^20^\^"50^\^"^!^" """
FIREFOX_BASH = """curl 'https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2' --compressed -X POST \
-H 'User-Agent: Mozilla/5.0 (X11)' -H 'Accept: */*' -H 'Content-Type: text/plain;charset=UTF-8' \
-H 'Cookie: ttclid=E.C.P.a; _ttp=p' -H 'sec-ch-ua: "Chromium";v="140"' \
--data-raw $'en=page_view\\r\\nen=purchase&ep.note=it\\'s%20"50"\\u0021'"""
OLD_CMD = (
    'curl "https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2" -H "Accept: */*" '
    '-H "Content-Type: text/plain;charset=UTF-8" -H "Cookie: ttclid=E.C.P.a; _ttp=p" '
    '-H "User-Agent: Mozilla/5.0 (X11)" -H "sec-ch-ua: ""Chromium"";v=""140""" '
    '--data-raw "en=page_view"^\r\n\r\n"en=purchase&ep.note=it\'s"%"20""50""!"'
)


@pytest.mark.parametrize("text", [CHROME_BASH, CHROME_CMD, FIREFOX_BASH, OLD_CMD])
def test_a_curl_command_is_read_as_the_browser_meant_it(text: str):
    request = one(text)
    headers = {key: value for key, value in request.headers.items() if key != "accept"}

    expected = {
        "content-type": "text/plain;charset=UTF-8",
        "cookie": "ttclid=E.C.P.a; _ttp=p",
        "sec-ch-ua": '"Chromium";v="140"',
        "user-agent": "Mozilla/5.0 (X11)",
    }
    assert ("POST", BATCH, expected) == (request.method, request.url, headers)
    assert BODY.splitlines() == request.body.splitlines()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-d a=1 -d b=2", ("POST", "a=1&b=2")),
        ("--data 'a=1' -X PUT -X POST", ("POST", "a=1")),
        ("-da=1", ("POST", "a=1")),
        ("--data-binary '{\"a\": 1}'", ("POST", '{"a": 1}')),
        ("--data-urlencode 'event_name=a b&c'", ("POST", "event_name=a%20b%26c")),
        ("--data-urlencode '=a b'", ("POST", "a%20b")),
        ("--data-raw @x", ("POST", "@x")),
        ("--json '{}'", ("POST", "{}")),
        ("", ("GET", "")),
    ],
)
def test_data_is_sent_as_curl_sends_it(options: str, expected: tuple[str, str]):
    request = one(f"curl https://gw/data {options}")

    assert expected == (request.method, request.body)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ("-d a=1", "application/x-www-form-urlencoded"),
        ("--json '{}'", "application/json"),
        ("-H 'Content-Type: a/b' -d 1", "a/b"),
    ],
)
def test_data_has_the_type_curl_gives_it(options: str, kind: str):
    assert kind == one(f"curl https://gw/data {options}").headers["content-type"]


@pytest.mark.parametrize(
    "options",
    ["-G -d a=1 --data-urlencode 'b=c d'", "--get --data a=1 --url-query 'b=c d'"],
)
def test_data_goes_into_the_query_when_asked_for(options: str):
    request = one(f"curl {options} https://gw/data?x=0")

    assert ("GET", "") == (request.method, request.body)
    assert {"x": ["0"], "a": ["1"], "b": ["c d"]} == parse_qs(urlsplit(request.url).query)


@pytest.mark.parametrize(
    "options",
    [
        "-u ann:secret", "--user ann:secret", "-o out.txt", "-w '%{http_code}'", "--max-time 5", "-sS -k --compressed",
        "-x http://proxy:3128", "--resolve gw:443:127.0.0.1", "--no-such-option", "--proxy=http://proxy",
        "-sSo out.txt",
    ],
)  # fmt: skip
def test_other_options_are_passed_over_with_their_values(options: str):
    assert Request(url=URL) == one(f"curl {options} --url '{URL}'")


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ("-A Phone -e https://s.example/", {"user-agent": "Phone", "referer": "https://s.example/"}),
        ("-b a=1 --cookie b=2", {"cookie": "a=1; b=2"}),
        ("-b cookies.txt -H 'Accept:'", {}),
        ("-H 'X-Forwarded-For: 8.8.8.8'", {"x-forwarded-for": "8.8.8.8"}),
        ("-H'a: b:c'", {"a": "b:c"}),
    ],
)  # fmt: skip
def test_headers_come_along(options: str, headers: dict[str, str]):
    assert headers == one(f"curl '{URL}' {options}").headers


def test_every_command_of_several_is_read():
    text = f"# both\ncurl '{URL}' ;\ncurl '{URL}2' -s | jq .\ncurl '{URL}3' --next '{URL}4'"

    assert [URL, URL + "2", URL + "3", URL + "4"] == [request.url for request in hits_of("$ " + text[7:]).requests]


def test_nothing_is_run_and_no_file_is_read(tmp_path: Path):
    (tmp_path / "body").write_text("secret")
    marker = tmp_path / "made"

    assert f"$(touch {marker})" == one(f'curl https://gw/data -d "$(touch {marker})"').body
    assert not marker.exists()
    with pytest.raises(InputRefused, match="is not read"):
        hits_of(f"curl https://gw/data -d @{tmp_path}/body")


@pytest.mark.parametrize(
    "text",
    ["curl 'https://gw/data", 'curl "https://gw/data', "curl $'https://gw/data", "curl https://gw/data -H",
     'curl ^"https://gw/data', "curl", "curl -F a=b https://gw/data", "curl https://gw/other"],
)  # fmt: skip
def test_a_curl_command_that_cannot_be_read_is_refused(text: str):
    with pytest.raises(InputRefused):
        hits_of(text)


@given(text=st.text(alphabet="curl '\"\\^$\n&;|#@=-dHx%\r\t!é", max_size=60))
def test_no_command_ends_in_anything_but_requests_or_a_refusal(text: str):
    try:
        found = hits_of("curl " + text)
    except InputRefused:
        return

    assert found.requests


# fetch.


def fetch(options: Any, url: str = URL) -> str:
    return f"fetch({json.dumps(url)}, {json.dumps(options, indent=2)});"


@pytest.mark.parametrize("before", ["", "await "])
def test_a_copied_fetch_is_read(before: str):
    options = {
        "headers": {"accept": "*/*", "sec-ch-ua": '"Chromium";v="140"'},
        "referrer": "https://shop.example/",
        "body": BODY,
        "method": "POST",
        "mode": "no-cors",
    }
    request = one(before + fetch(options, BATCH))

    assert ("POST", BATCH, BODY) == (request.method, request.url, request.body)
    assert {"accept", "sec-ch-ua", "referer"} == set(request.headers)


def test_every_fetch_of_several_is_read():
    text = fetch({"body": None, "method": "GET"}) + " ;\n" + fetch({}, URL + "2") + f'\nfetch("{URL}3")'

    assert [URL, URL + "2", URL + "3"] == [request.url for request in hits_of(text).requests]


@pytest.mark.parametrize("text", ["fetch(url)", "fetch('https://gw/g/collect?v=2')", 'fetch("a", {b: 1})'])
def test_a_fetch_that_is_a_program_is_refused(text: str):
    with pytest.raises(InputRefused, match="Copy as fetch"):
        hits_of(text)


# JSON.


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ('{"client_id": "1.2", "events": [{"name": "a"}]}', "/mp/collect?measurement_id=G-EXPLAIN"),
        ('{"event_name": "a", "url": "https://shop.example/"}', "/data"),
        ('{"event_name": "a", "events": []}', "/data"),
        ('[{"event_name": "a"}, {"event_name": "b"}]', "/data"),
        ('{"event_name": "a"}\n{"event_name": "b"}', "/data"),
        ('{"event_name": "a"}\n{broken', "/data"),
    ],
)
def test_json_goes_to_the_route_it_is_for(text: str, route: str):
    assert (route, text) == ((request := one(text)).url, request.body)


def test_each_line_that_is_a_body_or_a_request_is_a_hit():
    body = '{"events": [{"name": "a"}]}'
    text = f"{body}\n{json.dumps({'url': URL, 'method': 'GET'})}\n\n{body}"

    assert ["/mp/collect", "/g/collect", "/mp/collect"] == [
        urlsplit(request.url).path for request in hits_of(text).requests
    ]


def test_a_line_among_requests_that_is_no_json_is_named():
    with pytest.raises(InputRefused, match="line 2"):
        hits_of(json.dumps({"url": URL, "method": "GET"}) + "\n{broken\n")


# What nobody could have sent.


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("http://[/g/collect?v=2&tid=G-1&en=a", "address"),
        (json.dumps({"url": URL + "\ud800", "method": "GET"}), "address"),
        (json.dumps({"url": URL + "%20\ud800", "method": "GET"}), "address"),
        (json.dumps({"url": URL, "body": "en=a\ud800"}), "body"),
        (json.dumps({"url": URL, "headers": {"h€": "x"}}), "header can be named 'h€'"),
        (json.dumps({"url": URL, "headers": {"h€\ud800ann@shop.example": "x"}}), r"header can be named '\*\*\*'"),
        (har(entry(URL, headers=[{"name": "h€", "value": "x"}])), "header"),
    ],
)
def test_what_nobody_could_have_sent_is_refused_in_words(text: str, what: str):
    with pytest.raises(InputRefused, match=what):
        read_request(one(text))


def test_a_query_is_added_only_to_an_address_that_can_be_read():
    with pytest.raises(InputRefused, match="an address that cannot be read"):
        hits_of("curl -G 'http://[/g/collect?v=2' -d en=a")


def test_an_entry_in_an_entry_is_no_request():
    assert "/data" == one(json.dumps({"request": {"request": {"url": URL}}})).url


# Limits.


def test_too_many_hits_are_refused():
    with pytest.raises(InputRefused, match=str(MOST_HITS)):
        hits_of("\n".join([URL] * (MOST_HITS + 1)))


def test_json_that_is_nested_too_deeply_is_refused():
    with pytest.raises(InputRefused):
        hits_of("[" * 200_000)


@given(st.recursive(st.none() | st.text(max_size=5), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["log", "entries", "request", "url", "headers", "postData", "text", "events", "cookies", "name"]),
    inner,
)))  # fmt: skip
def test_no_json_ends_in_anything_but_requests_or_a_refusal(value: Any):
    try:
        found = hits_of(json.dumps(value))
    except InputRefused:
        return

    assert found.requests
