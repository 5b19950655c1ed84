"""Hits as gtag.js sends them."""

import pytest

from tikrelay.base.errors import InputRefused
from tikrelay.collect import ga4_web
from tikrelay.collect.cookies import Cookies
from tikrelay.collect.hit import Hit
from tikrelay.event import Consent, HitKey


def one(parsed):
    (event,) = parsed.events
    return event


def refusal(web, query="", body=b"") -> tuple[int, str]:
    with pytest.raises(InputRefused) as refused:
        web(query, body)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize(
    "query", ["", "v=2", "tid=G-SHOP", "v=1&tid=G-SHOP&en=x", "v=2&tid=&en=x", "v=&tid=G-SHOP&en=x"]
)
def test_a_hit_has_a_version_and_a_measurement_id(query):
    with pytest.raises(InputRefused) as refused:
        ga4_web.parse(Hit(query=query, received_at=0.0))

    assert (400, "no_ga4_hit") == (refused.value.status, refused.value.code)


def test_the_protocols_parameters_get_event_datas_names(web):
    event = one(
        web(
            "en=page_view&cid=10.20&_p=77&_s=3&sid=1795312000&sct=2&uid=C-7&cu=eur&ul=de-de&sr=1280x720&_uip=8.8.8.8"
            "&dl=https%3A%2F%2Fshop.example%2F%3Fttclid%3Da%26b%3D1&dr=https%3A%2F%2Fref.example%2F&dt=Caf%C3%A9+%26%20more"
        )
    )

    assert {
        "page_location": "https://shop.example/?ttclid=a&b=1",
        "page_referrer": "https://ref.example/",
        "page_title": "Café & more",
        "language": "de-de",
        "user_id": "C-7",
        "currency": "eur",
        "client_id": "10.20",
        "ga_session_id": "1795312000",
        "screen_resolution": "1280x720",
        "ip_override": "8.8.8.8",
    } == event.data
    assert HitKey(
        measurement_id="G-SHOP", client_id="10.20", page_id="77", request_count="3", line=0,
        page_location="https://shop.example/?ttclid=a&b=1",
    ) == event.key  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"\r\n", b" \n \r"])
def test_without_lines_the_query_is_the_event(web, body):
    assert "purchase" == one(web("en=purchase&richsstsse", body)).name


def test_one_line_without_a_name_in_the_query(web):
    event = one(web("cid=1.2&dl=https%3A%2F%2Fa.example%2F", b"en=purchase&ep.transaction_id=R-1&epn.value=19"))

    assert ("purchase", "R-1", 19, "https://a.example/") == (
        event.name, event.data["transaction_id"], event.data["value"], event.data["page_location"],
    )  # fmt: skip


@pytest.mark.parametrize("line_break", [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n \n"])
def test_nothing_carries_over_from_one_line_to_the_next(web, line_break):
    first, second = web("cid=1.2", line_break.join([b"en=view_item&cu=EUR&ep.x=1", b"en=own_event", b""])).events

    assert ("view_item", "EUR", "1") == (first.name, first.data["currency"], first.data["x"])
    assert ("own_event", {"client_id": "1.2"}) == (second.name, second.data)
    assert (1, 2) == (first.key.line, second.key.line)


def test_a_line_overrides_the_query(web):
    first, second = web("dl=https%3A%2F%2Fa.example%2F&dt=A", b"en=a\r\nen=b&dl=https%3A%2F%2Fb.example%2F&dt=B").events

    assert ("https://a.example/", "A") == (first.data["page_location"], first.data["page_title"])
    assert ("https://b.example/", "B") == (second.data["page_location"], second.data["page_title"])


def test_a_request_with_lines_makes_no_event_of_the_query_alone(web):
    assert ["view_item", "add_to_cart"] == [
        event.name for event in web("en=view_item", b"_et=1\r\nen=add_to_cart").events
    ]


def test_a_line_without_a_name_is_told_and_costs_no_other(web):
    parsed = web("", b"en=a\r\n_et=5\r\nen=%20\r\nen=b")

    assert ["a", "b"] == [event.name for event in parsed.events]
    assert [("line_without_name", 1), ("line_without_name", 2)] == [(t.reason, t.place) for t in parsed.turned_away]


@pytest.mark.parametrize(
    ("query", "body"), [("", b""), ("en=", b""), ("en=+", b""), ("", b"_et=1"), ("", b"en=&x=1\r\n=")]
)
def test_a_hit_without_a_name_anywhere_is_refused(web, query, body):
    assert (400, "no_event") == refusal(web, query, body)


def test_an_encoded_line_break_is_part_of_a_value(web):
    events = web("", b"en=a&ep.x=one%0D%0Aen%3Db\r\nen=c&pr1=idA%0AB").events

    assert ["a", "c"] == [event.name for event in events]
    assert "one\r\nen=b" == events[0].data["x"]
    assert [{"item_id": "A\nB"}] == events[1].data["items"]


def test_a_batch_of_20_events_and_16_kb_is_read_in_order(web):
    lines = [f"en=event_{number}&ep.text={'x' * 780}" for number in range(20)]

    parsed = web("cid=1.2", "\r\n".join(lines).encode())

    assert [f"event_{number}" for number in range(20)] == [event.name for event in parsed.events]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b"en=a\n" * 1001),
        ("a&" * 1001, b""),
        ("en=a", b"x&" * 1001),
        ("&".join(f"k{n}" for n in range(500)), b"en=a\n" * 300),
    ],
    ids=["lines", "query", "line", "both"],
)
def test_too_many_lines_or_parameters_are_refused(web, query, body):
    assert 413 == refusal(web, query, body)[0]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("ep.value=7630", "7630"),
        ("ep.value=1,299.00", "1,299.00"),
        ("epn.value=12", 12),
        ("epn.value=-1.5", -1.5),
        ("epn.value=1e%2B21", 1e21),
        ("epn.value=0", 0),
        ("epn.value=12,50", "12,50"),
        ("epn.value=9007199254740993", 9007199254740992.0),
        ("ep.value=true", "true"),
        ("ep.value=x%2Cy", "x,y"),
        ("ep.value=", ""),
    ],
)
def test_text_stays_text_and_a_number_is_one(web, parameter, value):
    found = one(web(f"en=a&{parameter}")).data["value"]

    assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_left_out(web, number):
    assert {} == one(web(f"en=a&epn.value={number}&upn.x={number}")).data


def test_user_properties_are_told_apart(web):
    event = one(web("en=a&up.tier=gold&upn.age=41&ep.tier=silver"))

    assert ({"tier": "gold", "age": 41}, {"tier": "silver"}) == (event.user_properties, event.data)


def test_a_sites_own_parameter_does_not_pass_for_the_protocols(web):
    event = one(
        web(
            "en=page_view&cid=1.2&dl=https%3A%2F%2Fa.example%2F&ul=de&uid=U&ep.event_name=configuration&ep.client_id=x"
            "&ep.user_agent=x&ep.ip_override=1.1.1.1&ep.items=x&ep.page_location=x&ep.language=x&ep.user_id=x&ep.timestamp=5"
        )
    )

    assert "page_view" == event.name
    assert {
        "client_id": "1.2", "page_location": "https://a.example/", "language": "de", "user_id": "U", "timestamp": "5",
    } == event.data  # fmt: skip


def test_a_sites_own_parameter_fills_in_what_the_protocol_leaves_open(web):
    data = one(web("en=a&ep.page_location=https%3A%2F%2Fa.example%2F&ep.currency=EUR&ep.user_id=U&dl=&cu=")).data

    assert {"page_location": "https://a.example/", "currency": "EUR", "user_id": "U"} == data


def test_x_ttq_parameters_come_as_event_parameters_and_name_the_event(web):
    event = one(web("en=custom&ep.x-ttq-event-name=purchase&ep.x-ttq-event-id=e-1&epn.x-ttq-pt-value=9.5"))

    assert "purchase" == event.name
    assert {"x-ttq-event-id": "e-1", "x-ttq-pt-value": 9.5}.items() <= event.data.items()


@pytest.mark.parametrize("name", ["ep.x-ttq-event-name=", "ep.x-ttq-event-name=%20", "epn.x-ttq-event-name=5"])
def test_an_x_ttq_name_that_is_none_leaves_the_name(web, name):
    assert "custom" == one(web(f"en=custom&{name}")).name


def test_user_data_comes_flat_in_every_shape(web):
    event = one(
        web(
            "en=a&ep.user_data.email=%20Ann%40shop.example&ep.user_data.address.0.first_name=Ann"
            "&ep.user_data.address.1.first_name=Eve&ep.user_data.address.city=Kiel&ep.user_data=x"
        )
    )

    assert {
        "email": (" Ann@shop.example",), "address.first_name": ("Ann",), "address.city": ("Kiel",),
    } == event.user_data  # fmt: skip
    assert "user_data" not in event.data


def test_hashed_user_data_stands_behind_the_plain(web):
    digest = "ab" * 32
    event = one(web(f"en=a&em=tv.1~em.{digest}~pn.{digest}&ep.user_data.sha256_phone_number=plain"))

    assert {"sha256_email_address": (digest,), "sha256_phone_number": ("plain",)} == event.user_data


def test_items_are_read(web):
    event = one(web("en=purchase&pr10=idJ&pr2=idB~qt2~pr9.5&pr1=nmTee%20~~%20Shirt~k0size~v0L"))

    assert [
        {"item_name": "Tee ~ Shirt", "size": "L"}, {"item_id": "B", "quantity": 2, "price": 9.5}, {"item_id": "J"},
    ] == event.data["items"]  # fmt: skip


def test_a_double_encoded_brand_is_read(web):
    event = one(web("en=a&uafvl=Not%253BA%253DBrand%3B99.0.0.0%7CChromium%3B140.0.1&uamb=0&uap=Linux"))

    assert ["Not;A=Brand", "Chromium"] == [hint["brand"] for hint in event.client_hints["full_version_list"]]


def test_hints_come_from_the_headers_where_the_hit_has_none(web):
    assert "Linux" == one(web("en=a", hints={"sec-ch-ua-platform": '"Linux"'})).client_hints["platform"]
    assert {"platform": "X"} == one(web("en=a&uap=X", hints={"sec-ch-ua-model": '"M"'})).client_hints


def test_the_visitor_is_who_asked(web):
    visitor = one(web("en=a", ip="8.8.8.8", user_agent="UA", cookies=Cookies(ttclid="C", ttp="P"))).visitor

    assert ("8.8.8.8", "UA", "C", "P") == (visitor.ip, visitor.user_agent, visitor.ttclid_cookie, visitor.ttp_cookie)


@pytest.mark.parametrize("hidden", ["::", "0.0.0.0"])
def test_a_hit_that_hides_the_address_hides_the_requests_too(web, hidden):
    assert one(web(f"en=a&_uip={hidden}", ip="8.8.8.8")).visitor.ip is None


def test_the_referer_is_the_page_only_where_the_hit_names_none(web):
    assert "https://r.example/" == one(web("en=a", referer="https://r.example/")).data["page_location"]
    assert "x" == one(web("en=a&dl=x", referer="https://r.example/")).data["page_location"]


@pytest.mark.parametrize("cid", ["6f1e-uuid", "ZG4Ja%2FkX%3D.175", "0012345678901234", "x" * 256])
def test_a_client_id_is_opaque(web, cid):
    assert cid.replace("%2F", "/").replace("%3D", "=") == one(web(f"en=a&cid={cid}")).key.client_id


@pytest.mark.parametrize(
    ("ga", "client_id"), [("GA1.1.10.20", "10.20"), ("GA1.2.uuid", "uuid"), ("GA1", None), (None, None)]
)
def test_a_missing_client_id_comes_from_the_cookie(web, ga, client_id):
    event = one(web("en=a", cookies=Cookies(ga=ga)))

    assert (client_id, client_id) == (event.key.client_id, event.data.get("client_id"))


def test_consent_is_read_and_the_repeat_after_a_choice_is_marked(web):
    assert Consent(sending="denied", user_data="denied") == one(web("en=a&gcs=G100&gcd=13p3p3p3p5l1")).consent
    assert (
        Consent(sending="granted", user_data="granted", is_update=True)
        == one(web("en=a&gcs=G1--&gcd=13r3r3r3r5&gcu=1")).consent
    )


@pytest.mark.parametrize("text", ["%", "%zz", "%FF%FE", "%00", "\u00fc", "%C3"])
def test_broken_encoding_does_not_cost_the_hit(web, text):
    assert "purchase" == one(web(f"en=purchase&ep.x={text}&{text}={text}")).name


def test_bytes_that_are_no_utf_8_do_not_cost_the_hit(web):
    assert "\ufffd" == one(web("", b"en=a&ep.x=\xff")).data["x"]
