"""A page's address: what of it is sent, and the click id in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikrelay.event import Event
from tikrelay.mapping.cleaning import Context, Left, Settings
from tikrelay.mapping.page import clean_referrer, clean_url, click_id, click_id_of_url, host_of_url

CLEAN = [
    "https://shop.example",
    "https://shop.example/",
    "HTTPS://Shop.Example/Path",
    "https://shop.example:8443/a/b?c=d#e",
    "https://shop.example/?",
    "https://shop.example/?a",
    "https://shop.example/?a=&b=%20+%2F%zz&a=1&&c",
    "https://shop.example/p?utm_source=email&utm_medium=e-mail&utm_campaign=caf%C3%A9&ttclid=E.C.P.a-b_c~d",
    "https://shop.example/p?gclid=abc&fbclid=IwAR0&_gl=1*a*b&q=blue+mug&size=10.5&sku=0012345678",
    "https://bücher.example/größe?q=ä",
    "http://localhost:3000/a",
    "http://[2001:db8::1]:80/",
    "https://shop.example/@brand/p",
    "https://shop.example/p/00123456789012",
    "https://shop.example/p/0012345678905",
    "https://shop.example/0049123456787/mug?a=1",
    "https://shop.example/?q=0049123456787",
    "https://shop.example/#/route?tab=2",
    "https://shop.example/a b?c d",
    "https://shop.example/?utm_content=email_footer&utm_term=phone&keyword=password",
    "https://shop.example/?q=shoes 2024&order=10012345678&ids=1001,1002&ean=4006381333931",
    "https://shop.example/?gclid=Cj0KCQ_ab-00&_gl=1*abc*_ga*MTIzNDU2Nzg5MC4x&ttclid=E.C.P.00Ab-_1200",
    "https://shop.example/?filter=brand:nike;size:10&a;b&c=d=e",
    "https://shop.example/?dt=2026-11-22T10:12:25%2B01:00&q=10+%2B+20&size=%2B10%20-%2020",
    "https://shop.example/?q=(2024)+sale&img=logo@2x.png&q=100%25",
    "https://shop.example/?url=https%3A%2F%2Fo.example%2Fa%3Fb%3Dc",
    "https://shop.example/?mobile_menu=1&session_start=2&login_box=3&pin_color=4",
    "https://shop.example/?email=&name&a=1",
    "https://shop.example/a;v=1/p/1001-2002-3003#email-signup",
]


@pytest.mark.parametrize("url", CLEAN)
def test_an_address_without_people_stays_byte_for_byte(context, url):
    made = context()

    assert url == clean_url(url, made)
    assert [] == made.notices


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://s.example/?email=ann%40s.example&a=1", "https://s.example/?a=1"),
        ("https://s.example/?a=%20&Email=x&b=+", "https://s.example/?a=%20&b=+"),
        ("https://s.example/?tel=1&token=2&a=3", "https://s.example/?a=3"),
        ("https://s.example/?user%5Bemail%5D=x&a=1", "https://s.example/?a=1"),
        ("https://s.example/?q=ann@shop.example&a=1", "https://s.example/?a=1"),
        ("https://s.example/?q=ann%2540shop.example&a=1", "https://s.example/?a=1"),
        ("https://s.example/?q=%2B49+151+55501234&a=1", "https://s.example/?a=1"),
        ("https://s.example/?q=+4915155501234&a=1", "https://s.example/?a=1"),
        ("https://s.example/?q=004915155501234&a=1", "https://s.example/?a=1"),
        ("https://s.example/?next=%2Flogin%3Femail%3Dx&a=1", "https://s.example/?a=1"),
        ("https://s.example/?ann%40shop.example&a=1", "https://s.example/?a=1"),
        ("https://s.example/?ann@shop.example=1&a=1", "https://s.example/?a=1"),
        ("https://s.example/?email=x", "https://s.example/"),
        ("https://s.example/p?email=x#top", "https://s.example/p#top"),
        ("https://s.example/?ttclid=ann%40shop.example&a=1", "https://s.example/?a=1"),
        ("https://ann:pw@s.example/a", "https://s.example/a"),
        ("https://ann@shop.example@s.example/a", "https://s.example/a"),
        ("https://s.example/u/ann@shop.example/orders", "https://s.example/u/***/orders"),
        ("https://s.example/u/ann%40shop.example", "https://s.example/u/***"),
        ("https://s.example/tel/+4915155501234", "https://s.example/tel/***"),
        ("https://s.example/tel/004915155501234", "https://s.example/tel/***"),
        ("https://s.example/?a=ann&#64;s.example", "https://s.example/"),
        ("https://s.example/u/ann@s.example/0012345678905", "https://s.example/u/***/0012345678905"),
        ("https://s.example/?b=1&a=ann&commat;s.example", "https://s.example/?b=1"),
        ("https://s.example/u/ann&#x40;s.example", "https://s.example/u/***"),
        ("https://s.example/p/0012345678906", "https://s.example/p/***"),
        ("https://s.example/?q=0012345678905&a=1", "https://s.example/?a=1"),
        ("https://s.example/u/ann%40s.example%7Cbob%40s.example/a", "https://s.example/u/***/a"),
        ("https://s.example/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.x", "https://s.example/reset/***"),
        ("https://s.example/a#email=x", "https://s.example/a"),
        ("https://s.example/a#/u?email=x", "https://s.example/a"),
        ("https://s.example/a#access_token=x&b=1", "https://s.example/a"),
        ("https://s.example/a#ann@shop.example", "https://s.example/a"),
        ("https://ann:p%40w+1@s.example/a", "https://s.example/a"),
    ],
)
def test_what_gives_a_person_or_a_secret_away_is_taken_out_with_a_notice(context, url, kept):
    made = context()

    assert kept == clean_url(url, made)
    assert ["personal_data_removed"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("/?email=x&a=1&token=y", "email, token"),
        ("/?email=x&email=y", "email"),
        ("/?user-email=x;phone2=y", "user-email, phone2"),
        ("/?q=ann@shop.example", "a value of q"),
        ("/?email=ann@shop.example", "email"),
        ("/?ann@shop.example=1", "a parameter"),
        ("/?ann%40shop.example", "a parameter"),
        ("/?user%5Bemail%5D=x", "a parameter"),
        ("/?_4915155501234=ann@shop.example", "a parameter"),
        ("/?" + "x" * 35 + "_email=y", "a parameter"),
        ("/?" + "x" * 34 + "_email=y", "x" * 34 + "_email"),
        ("/u/ann@shop.example", "a part of the path"),
        ("/cart;jsessionid=1A", "jsessionid"),
        ("/u/ann@shop.example/cart;jsessionid=1A?fax=1#ann@shop.example",
         "jsessionid, a part of the path, fax, what is behind #"),
        ("/?" + "&".join(f"email{one}=x" for one in range(10)),
         "email0, email1, email2, email3, email4, email5, email6, email7 and 2 more"),
    ],
)  # fmt: skip
def test_the_notice_names_what_was_taken_out_and_nothing_of_its_value(context, rest, told):
    made = context()
    clean_url(f"https://s.example{rest}", made)

    assert [f"{made.target}: taken out: {told}"] == [notice.text for notice in made.notices]


def test_a_login_that_was_taken_out_is_told_of(context):
    made = context()
    clean_url("https://ann:pw@s.example/?pin=1", made)

    assert [f"{made.target}: taken out: the login, pin"] == [notice.text for notice in made.notices]


@pytest.mark.parametrize("given", ["https://s.example/clinic", " https://s.example/cl\ninic "])
def test_a_page_before_that_the_operator_denies_is_left_out(context, given):
    made = context(settings={"denied_paths": ["/clinic"]})

    assert Left.TOLD == clean_referrer(given, made)
    assert ["personal_data_removed"] == [notice.kind for notice in made.notices]
    assert "clinic" not in made.notices[0].text


@pytest.mark.parametrize("settings", [{}, {"denied_paths": ["/clinic"]}])
@pytest.mark.parametrize("given", ["https://s.example/?email=x", "https://s.example/", "nonsense", "", None, 7])
def test_any_other_page_before_is_cleaned_like_every_address(context, settings, given):
    made, same = context(settings=settings), context(settings=settings)

    assert clean_url(given, same) == clean_referrer(given, made)
    assert same.notices == made.notices


# What may stand in a query, and is taken out with all the forms it can have.
HIDDEN = [
    "x=1?email=y", "?email=y", "amp;email=x", "userEMail=x", "USER%5BEMAIL%5D=x", "contact[0][e-mail]=x", "phone1=1",
    "e.mail=x", "%65mail=x", "em%2561il=x", "em%00ail=x", "e\u200bmail=x", "\uff45\uff4d\uff41\uff49\uff4c=x",
    "your-name=x", "billing[address][street]=x", "tel%C3%A9fono=1", "pr\u00e9nom=x", "user_mobile=1", "login_hint=x",
    "d=email%3Dann%20lee", "d=%7B%22email%22%3A%22x%22%7D", "d=%7B%22name%22%20:%20%22Ann%22%7D",
    "next=%2Fa%3Fb%3D%2Fc%3Femail%3Dx", "next=https%3A%2F%2Fo.example%2F%3Fq%3D1%26token%3Dx",
    "next=https%253A%252F%252Fo.example%252F%253Ftoken%253Dx", "next=%2Fa%23access_token%3Dx",
    "next=%2Fa%3B%65mail%3Dx",
    "q=ann\uff20shop.example", "q=ann%EF%BC%A0shop.example", "q=ann\ufe6bshop.example", "q=ann@shop\u3002example",
    "q=ann%40shop%2Eexample", "q=ann%2525252525252540shop.example", "q=ann%26%2364%3Bshop.example",
    "q=ann%5Cu0040shop.example", "q=ann\t@shop.example", "q=ann%09@shop.example", "q=ann%0A%40shop.example",
    "ann%40shop.example=1", "=ann@shop.example",
    "q=%2B49%E2%80%93151%E2%80%9355501234", "q=+49\u2013151\u201355501234", "q=%2B49%C2%A0151%C2%A055501234",
    "q=\uff0b\uff14\uff19\uff11\uff15\uff11\uff15\uff15\uff15\uff10\uff11\uff12\uff13\uff14",
    "q=%28213%29%20373-4253", "q=(213)+373-4253", "q=tel:015155501234", "q=tel%3A015155501234",
]  # fmt: skip


@pytest.mark.parametrize("part", HIDDEN)
@pytest.mark.parametrize("around", ["?{}", "?a=1&{}", "?{}&a=1", "?a=1;{}", "#/route?{}"])
@pytest.mark.parametrize("strict", [False, True])
def test_nothing_of_a_person_stays_however_it_is_written(context, part, around, strict):
    made = context(
        settings={
            "strict_urls": strict,
            "allowed_parameters": (
                "a",
                "q",
                "d",
                "next",
            ),
        }
    )
    cleaned = clean_url("https://s.example/" + around.format(part), made)

    assert cleaned in {f"https://s.example/{kept}" for kept in ("", "?a=1", "?a=1&amp", "?a=1;amp", "?amp", "?amp&a=1")}


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/cart;jsessionid=1A/x", "/cart/x"),
        ("/cart;email=x;v=1", "/cart;v=1"),
        ("/email=x/b", "/***/b"),
        ("/u%2Fann%40shop.example/b", "/***/b"),
        ("/u/ann%2540shop.example", "/u/***"),
        ("/a%3Femail%3Dx", "/***"),
        ("/a%3Bemail%3Dx", "/***"),
        ("/+49/151/55501234", "/***"),
        ("/u/ann\uff20shop.example", "/u/***"),
    ],
)
def test_nothing_of_a_person_stays_in_a_path(context, path, kept):
    made = context()

    assert f"https://s.example{kept}" == clean_url(f"https://s.example{path}", made)
    assert ["personal_data_removed"] == [notice.kind for notice in made.notices]


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "https://s.example/p?utm_source=a&gclid=b&ttclid=E.C.P.c&x=1",
            "https://s.example/p?utm_source=a&ttclid=E.C.P.c",
        ),
        ("https://s.example/p?UTM_source=a&xutm_b=c&utm=d", "https://s.example/p"),
        ("https://s.example/p?shop_id=1&shop=2&f_size=3&f_=4&f=5", "https://s.example/p?shop_id=1&f_size=3&f_=4"),
        ("https://s.example/p?x=1;utm_source=a", "https://s.example/p?utm_source=a"),
        ("https://s.example/p?name=Kate+Spade&x=1", "https://s.example/p?name=Kate+Spade"),
        ("https://s.example/p?x=1#top", "https://s.example/p"),
        ("https://s.example/p?", "https://s.example/p"),
        ("https://s.example/p", "https://s.example/p"),
        ("https://s.example/p?f%5Fsize=1", "https://s.example/p?f%5Fsize=1"),
    ],
)
def test_strict_addresses_keep_only_what_is_allowed(context, url, kept):
    made = context(
        settings={
            "strict_urls": True,
            "allowed_parameters": (
                "shop_id",
                "f_*",
                "name",
            ),
        }
    )

    assert kept == clean_url(url, made)
    assert [] == made.notices


@pytest.mark.parametrize(
    "query",
    ["utm_term=ann%40shop.example", "shop_id=%2B49+151+55501234", "f_ann@shop.example=1", "f_a=%3Femail%3Dx",
     "utm_email=x", "ttclid=ann@shop.example"],
)  # fmt: skip
def test_what_is_allowed_is_looked_at_all_the_same(context, query):
    made = context(
        settings={
            "strict_urls": True,
            "allowed_parameters": (
                "shop_id",
                "f_*",
            ),
        }
    )

    assert "https://s.example/?utm_source=a" == clean_url(f"https://s.example/?{query}&utm_source=a", made)
    assert ["personal_data_removed"] == [notice.kind for notice in made.notices]


def test_a_star_alone_allows_every_parameter(context):
    made = context(settings={"strict_urls": True, "allowed_parameters": ("*",)})

    assert "https://s.example/?a=1&b=2" == clean_url("https://s.example/?a=1&b=2#c", made)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://shop.example/", "//shop.example/a", "/a/b", "shop.example",
        "https://", "https:///a", "https://?a", "https:\\\\shop.example", "https://a b/", "https://ann@/", "#top",
        True, 7,
        {}, [], "https://shop.example/" + "a" * 8192, "https://ann%40shop.example/", "https://+4915155501234/",
        "https://ann\uff20shop.example/", "https://s.example\\@o.example/",
        "mailto:a@b.c",
    ],
)  # fmt: skip
def test_what_is_no_page_is_left_out(context, url):
    assert Left.UNUSABLE == clean_url(url, context())


@pytest.mark.parametrize("url", ["", " ", None, "undefined", "null", "(not set)"])
def test_no_address_is_none(context, url):
    assert Left.EMPTY == clean_url(url, context())


def test_an_address_in_two_lines_becomes_one(context):
    assert "https://shop.example/ab" == clean_url(" https://shop.example/a\r\nb\n".replace("\r\n", "\n"), context())


def test_x_ttq_comes_before_ga4(body):
    data = {
        "x-ttq-ct-page-url": "https://a.example/", "page_location": "https://b.example/",
        "x-ttq-ct-page-referrer": "https://c.example/", "x-ttq-ct-page-referer": "https://d.example/",
        "page_referrer": "https://e.example/",
    }  # fmt: skip

    assert {"url": "https://a.example/", "referrer": "https://c.example/"} == body(data=data)["page"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://s.example/?ttclid=E.C.P.abc", "E.C.P.abc"),
        ("https://s.example/?a=1&ttclid=E.C.P.abc&b=2#x", "E.C.P.abc"),
        ("https://s.example/?ttclid=E.C.P.a%2Db%5Fc%7E", "E.C.P.a-b_c~"),
        ("https://s.example/?ttclid=a%252Fb", "a%2Fb"),
        ("https://s.example/?ttclid=&ttclid=second", "second"),
        ("https://s.example/?ttclid=first&ttclid=second", "first"),
        ("/relative?ttclid=x", "x"),
        ("https://s.example/?ttclid=__CLICKID__&ttclid=E.C.P.real", "E.C.P.real"),
        ("https://s.example/?ttclid=ann%40s.example&ttclid=%C3%BC&ttclid=E.C.P.real", "E.C.P.real"),
        ("https://s.example/?ttclid=" + "x" * 1024, "x" * 1024),
    ],
)
def test_the_click_id_is_read_from_an_address_decoded_once(context, url, found):
    assert found == click_id_of_url(url, context())


@pytest.mark.parametrize(
    "url",
    ["https://s.example/", "https://s.example/#ttclid=x", "https://s.example/?xttclid=y", "https://s.example/?ttclid=",
     "",
     None, 7, "https://s.example/?ttclid=__CLICKID__", "https://s.example/?TTCLID=x", "https://ttclid.example/"],
)  # fmt: skip
def test_an_address_without_one_has_none(context, url):
    assert Left.EMPTY == click_id_of_url(url, context())


def test_of_click_ids_none_of_which_can_be_used_the_first_that_is_one_is_told_of(context):
    assert Left.UNUSABLE == click_id_of_url("https://s.example/?ttclid=__CLICKID__&ttclid=%C3%BC&ttclid=", context())


@pytest.mark.parametrize("given", ["x" * 1025, "a b", "é", "a\u2028b", "ann@shop.example", "+4915155501234", True, {}])
def test_what_cannot_be_a_click_id_is_unusable(context, given):
    assert Left.UNUSABLE == click_id(given, context())


CLICK_SOURCES = (
    ("x-ttq-ct-page-url", "https://s.example/?ttclid={}"),
    ("page_location", "https://s.example/?ttclid={}"),
    ("x-ttq-ttclid", "{}"),
    ("page_referrer", "https://s.example/?ttclid={}"),
    ("cookie", "{}"),
    ("ttclid", "{}"),
)


@pytest.mark.parametrize("first", range(len(CLICK_SOURCES)))
def test_the_click_id_comes_from_the_first_place_that_has_one(body, first):
    data = {"page_location": "https://s.example/"}
    data |= {name: form.format(name) for name, form in CLICK_SOURCES[first:]}

    assert (
        CLICK_SOURCES[first][0]
        == body(data=data, visitor={"ttclid_cookie": data.pop("cookie", None)})["user"]["ttclid"]
    )


@pytest.mark.parametrize(
    ("page", "referrer", "counts"),
    [
        ("https://s.example/", "https://s.example/?ttclid=x", True),
        ("https://S.example:8443/", "https://s.example/?ttclid=x", True),
        ("https://s.example/", "https://ann@S.EXAMPLE/a?ttclid=x", True),
        ("https://s.example/", "https://www.s.example/?ttclid=x", False),
        ("https://s.example/", "https://other.example/?ttclid=x", False),
        ("", "https://s.example/?ttclid=x", False),
        ("https://s.example/", "nonsense?ttclid=x", False),
    ],
)
def test_a_referrers_click_id_counts_where_the_host_is_the_pages(body, page, referrer, counts):
    user = body(data={"page_location": page, "page_referrer": referrer}).get("user", {})

    assert counts is (user.get("ttclid") == "x")


@pytest.mark.parametrize("key", ["x-ttq-ct-page-referrer", "x-ttq-ct-page-referer", "page_referrer"])
def test_the_referrer_is_the_one_that_is_sent(body, key):
    data = {"x-ttq-ct-page-url": "https://s.example/", key: "https://s.example/?ttclid=x"}

    assert "x" == body(data=data)["user"]["ttclid"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Shop.example:8443/a?b", "shop.example"),
        (" https://a@b.example ", "b.example"),
        ("https://shop.example.", "shop.example"),
        ("https://shop.example.:8443/a", "shop.example"),
        ("http://[2001:db8::1]:80/", "[2001:db8::1]"),
        ("http://[2001:db8::1]/a:b", "[2001:db8::1]"),
        ("x", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_host_of_an_address_is_in_lower_case_and_without_port_or_dot_behind(url, host):
    assert host == host_of_url(url)


# The common address, which is let through at a glance.

NAMES = ["a", "utm_source", "email", "name", "q", "user", "token", "ttclid", "mobile_menu", "sessionid", "x-y", "key"]
VALUES = ["", "1", "abc", "0012345678905", "x=y", "a.b", "1&2", "00123456789012", "eyJa", "0049151555012", "tel"]
ADDRESSES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["https://shop.example", "http://SHOP.example:80", "https://a=b.example", "https://1.2.3.4"]),
    st.sampled_from(["", "/", "/a/b", "/a;b", "/0049151555012", "/a//b", "/a=b", "/~x", "/0012345678905"]),
    st.lists(
        st.builds("{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(["=", ""]), st.sampled_from(VALUES))
    ).map(lambda parts: "?" + "&".join(parts) if parts else ""),
)


@given(ADDRESSES)
def test_what_is_let_through_at_a_glance_would_be_let_through_by_a_closer_look(address: str):
    context = Context(Event(name="x", source="data", received_at=0.0), name="x", fallback_id="", settings=Settings())
    found, looked_at = clean_url(address, context), clean_url(f"{address}#x", context)

    assert looked_at == f"{found}#x"
