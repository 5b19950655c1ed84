"""Hits that gtag.js repeats after the visitor's choice, and second clicks that are none of them."""

import urllib.parse

import pytest

from tikrelay.collect.repeats import Repeats, digest_of

PAGE = "v=2&tid=G-SHOP&cid=10.20&_p=7&dl=https%3A%2F%2Fshop.example%2Fp"
DENIED = "gcs=G100&gcd=13p3p3p3p5l1"
WITHOUT_USER_DATA = "gcs=G111&gcd=13r3r3p3r5l1"  # ad_user_data alone is denied
UPDATED = "gcs=G111&gcd=13r3r3r3r5l1&gcu=1"
CLICK = "en=click&ep.link_text=Buy"


@pytest.fixture
def numbers(web):
    """Give the numbers of hits of one page, in order, as one worker's memory gives them."""
    repeats = Repeats()

    def of(*hits: str, lines: str = "", memory: Repeats = repeats) -> list[int]:
        found: list[int] = []
        for hit in hits:
            query = f"{PAGE}&{hit}"
            events = memory.number(web(query.removeprefix("v=2&tid=G-SHOP&"), lines).events, query=query)
            found += [event.key.nth for event in events]
        return found

    return of


def test_two_clicks_on_one_button_and_their_repeats_have_the_same_numbers(numbers):
    clicks = numbers(f"_s=2&{DENIED}&{CLICK}", f"_s=3&{DENIED}&{CLICK}")
    repeats = numbers(f"_s=4&{UPDATED}&sst.gcut=1.3.4&{CLICK}", f"_s=5&{UPDATED}&sst.gcut=1.3.4&{CLICK}")

    assert [0, 1] == clicks == repeats


def test_hits_made_while_only_user_data_was_denied_have_the_numbers_of_their_repeats(numbers):
    clicks = numbers(f"_s=2&{WITHOUT_USER_DATA}&{CLICK}", f"_s=3&{WITHOUT_USER_DATA}&{CLICK}")
    repeats = numbers(f"_s=4&{UPDATED}&gcut=3&{CLICK}", f"_s=5&{UPDATED}&gcut=3&{CLICK}")

    assert [0, 1] == clicks == repeats


@pytest.mark.parametrize(
    ("name", "expected"),
    [("page_view", [0, 0, 0]), ("view_item", [0, 0, 0]), ("add_to_cart", [0, 0, 1]), ("purchase", [0, 0, 1])],
)
def test_where_a_repeat_does_not_say_which_type_changed_only_what_a_shopper_does_is_counted(numbers, name, expected):
    repeat = f"{UPDATED}&en={name}"

    assert expected == numbers(f"_s=1&{DENIED}&en={name}", f"_s=2&{repeat}", f"_s=3&{repeat}")


def test_two_views_are_two_where_the_repeats_say_which_type_changed(numbers):
    assert [0, 1] == numbers(*(f"_s={n}&{UPDATED}&gcut=1&en=page_view" for n in range(2)))


@pytest.mark.parametrize("parameter", ["gcut", "sst.gcut"])
def test_repeats_for_each_type_of_consent_are_counted_apart(numbers, parameter):
    hits = [f"_s={count}&{UPDATED}&{parameter}={kind}&{CLICK}" for count, kind in enumerate("1133")]

    assert [0, 1, 0, 1] == numbers(*hits)


def test_types_may_take_turns(numbers):
    types = ["1", "3", "1", "3"]

    assert [0, 0, 1, 1] == numbers(
        *(f"_s={count}&{UPDATED}&sst.gcut={kind}&{CLICK}" for count, kind in enumerate(types))
    )


def test_what_changed_for_a_server_container_counts_before_what_changed_for_google(numbers):
    both = f"{UPDATED}&{CLICK}&sst.gcut=1"

    assert [0, 1] == numbers(f"_s=1&{both}&gcut=3", f"_s=2&{both}&gcut=4")


def test_the_same_hit_again_has_the_same_number(numbers):
    first, second = f"_s=2&{DENIED}&{CLICK}", f"_s=3&{DENIED}&{CLICK}"

    assert [0, 1, 0, 1, 2] == numbers(first, second, first, second, f"_s=9&{DENIED}&{CLICK}")


def test_lines_of_a_batch_are_told_apart(numbers):
    lines = f"{CLICK}\r\nen=search\r\n{CLICK}"

    assert [0, 0, 1] == numbers(f"_s=2&{DENIED}", lines=lines)
    assert [0, 0, 1] == numbers(f"_s=2&{DENIED}", lines=lines)


def test_a_repeat_while_ads_stay_denied_is_a_repeat(numbers):
    """The visitor allowed analytics alone: gcut=2, and ad_storage is denied as before."""
    still_denied = f"{DENIED}&gcu=1&gcut=2&{CLICK}"

    assert [0, 0, 1] == numbers(f"_s=2&{DENIED}&{CLICK}", f"_s=3&{still_denied}", f"_s=4&{still_denied}")


@pytest.mark.parametrize(
    "other",
    ["tid=G-2", "cid=11", "_p=8", "en=search", "dl=https%3A%2F%2Fshop.example%2Fq", "ep.link_text=Sell", "epn.x=1",
     "pr1=idA", "cu=EUR"],
)  # fmt: skip
def test_hits_that_differ_are_counted_apart(numbers, other):
    assert [0, 0, 1] == numbers(*(f"_s={n}&{DENIED}&{CLICK}{more}" for n, more in enumerate(["", f"&{other}", ""])))


@pytest.mark.parametrize(
    "other",
    ["ep.user_data.email=a%40b.co", "ep.ga_temp_client_id=1", "ep.ga_temp_ecid=2", "_et=99",
     "epn.engagement_time_msec=9", "ep.debug_mode=true", "dt=Later", "dr=https%3A%2F%2Fx.example", "uid=U", "sid=9",
     "ul=de", "up.plan=gold", "uaa=x86", "em=tv.1~em.x"],
)  # fmt: skip
def test_what_may_have_changed_by_the_time_of_the_repeat_tells_nothing(numbers, other):
    assert [0, 1] == numbers(f"_s=1&{DENIED}&{CLICK}", f"_s=2&{DENIED}&{CLICK}&{other}")


@pytest.mark.parametrize("consent", ["", "gcs=G111", "gcs=G1--", "gcu=0"])
def test_other_hits_stay_as_they_are_and_are_not_remembered(web, consent):
    repeats = Repeats()
    events = web(f"cid=1&_p=7&_s=1&{consent}&{CLICK}").events

    assert events == repeats.number(events, query="")
    assert 0 == repeats.remembered


def test_a_hit_of_no_page_stays_as_it_is(web):
    events = web(f"cid=1&{DENIED}&{CLICK}").events

    assert events == Repeats().number(events, query="")


def test_a_sender_without_a_count_has_all_that_is_alike_taken_for_one(numbers):
    assert [0, 0] == numbers(f"{DENIED}&{CLICK}", f"{DENIED}&{CLICK}")


def test_the_page_longest_unused_is_forgotten_first(numbers):
    memory = Repeats(most=4)
    page_1, page_2 = f"_p=1&{DENIED}&{CLICK}", f"_p=2&{DENIED}&{CLICK}"

    before = numbers(f"_s=1&{page_1}", f"_s=1&{page_2}", f"_s=1&{page_1}", f"_s=2&{page_1}", memory=memory)
    after = numbers(f"_s=3&{page_1}", f"_s=2&{page_2}", memory=memory)

    assert ([0, 0, 0, 1], [2, 0]) == (before, after)


def test_one_page_cannot_fill_the_memory(numbers):
    memory = Repeats(most=4)

    assert [0, 1, 2, 3, 0] == numbers(*(f"_s={n}&{DENIED}&{CLICK}" for n in range(5)), memory=memory)
    assert 2 == memory.remembered


def test_what_is_forgotten_does_not_count_any_more(numbers):
    memory = Repeats(most=10)

    numbers(*(f"_p={n}&_s=1&{DENIED}&{CLICK}" for n in range(100)), memory=memory)

    assert 10 == memory.remembered


def test_the_order_of_parameters_tells_nothing():
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1}) != digest_of({"a": "1", "b": [2]})


# Names of the protocol, as lists of them and recorded hits have them. cu is left out: a currency is the event's own.
PROTOCOL = [
    "_dbg", "_ee", "_et", "_eu", "_fid", "_fplc", "_fv", "_geo", "_nsi", "_rdi", "_ss", "_tu", "_uip", "_z", "are",
    "cc", "ci", "ck", "cm", "cn", "cs", "dh", "dma", "dma_cps", "dp", "dr", "dt", "ec_mode", "ecid", "edid", "em",
    "frm", "gcd", "gcs", "gcut", "gdpr", "gdpr_consent", "gtm", "ir", "npa", "pscdl", "richsstsse", "sct", "seg",
    "sid", "sr", "sst.adr", "sst.gcd", "sst.gcut", "tag_exp", "tfd", "tt", "uaa", "uab", "uafvl", "uam", "uamb",
    "uap", "uapv", "uaw", "uid", "ul", "ur", "us_privacy",
]  # fmt: skip


def test_what_the_protocol_says_is_not_what_the_site_said_of_the_event(web):
    """A name that event data is given later must be left out of the digest, or no repeat is known any more."""
    (event,) = web("cid=1&_p=1&_s=1&en=page_view&dl=x&" + "&".join(f"{name}=DE-BY" for name in PROTOCOL)).events

    assert digest_of({}) == digest_of(event.data)


async def test_the_routes_number_what_they_hand_on(relay):
    await relay.ask("GET", f"/g/collect?{PAGE}&_s=1&{DENIED}&{CLICK}")
    await relay.ask("POST", f"/g/collect?{PAGE}&_s=2&{DENIED}", body=f"{CLICK}\r\n{CLICK}".encode())
    await relay.ask("GET", f"/g/collect?{PAGE}&_s=3&gcs=G111&{CLICK}")

    assert [0, 1, 2, 0] == [event.key.nth for event in relay.events]
    assert [True, True, True, False] == [bool(event.key.content) for event in relay.events]


class Visit:
    """A visitor on a page as gtag.js tells of them: what was held back is sent again after the choice."""

    def __init__(self, send, **page: str) -> None:
        self.send = send
        self.page = {"v": "2", "tid": "G-TESTS00001", "_p": "1", "dl": "https://shop.example/p", **page}
        self.count = 0
        self.held: list[dict[str, str]] = []

    def hit(self, **event: str) -> None:
        self.count += 1
        assert 204 == self.send(urllib.parse.urlencode({**self.page, "_s": str(self.count), **event}))

    def see_and_click_twice(self, *, gcs: str = "G100", gcd: str = "13p3p3p3p5l1") -> None:
        click = {"en": "click", "ep.link_text": "Buy"}
        for event in ({"en": "page_view"}, click, click):
            self.held.append(event)
            self.hit(gcs=gcs, gcd=gcd, **event)

    def allow(self, types: str) -> None:
        for event in self.held:
            self.hit(gcs="G111", gcd="13r3r3r3r5l1", gcu="1", **{"sst.gcut": types}, **event)

    def click_once_more(self) -> None:
        self.hit(gcs="G111", gcd="13r3r3r3r5l1", en="click", **{"ep.link_text": "Buy"})


def test_tiktok_counts_what_the_visitors_did_and_nothing_twice(gateways, sandbox):
    """One destination gets the hits made before the choice too, the other only what was allowed."""
    destinations = [
        {"name": "all", "event_source_id": "C0AAAAAAAAAAAAAAAAAA", "consent": "ignore"},
        {"name": "allowed", "event_source_id": "C0BBBBBBBBBBBBBBBBBB", "consent": "required"},
    ]
    gateway = gateways(destinations=destinations).start()
    of_2026, of_2024, never, without_person = (Visit(gateway.hit, cid=cid) for cid in ["26.1", "24.1", "0.1", "3.1"])

    for visit in (of_2026, of_2024, never):
        visit.see_and_click_twice()
    without_person.see_and_click_twice(gcs="G111", gcd="13r3r3p3r5l1")
    of_2026.allow("1.3.4")
    of_2024.allow("1")
    of_2024.allow("3")
    without_person.allow("3")
    for visit in (of_2026, of_2024, without_person):
        visit.click_once_more()
    gateway.wait_until_settled()

    seen = [(event["_"]["event_source_id"][2], event["event"], event["event_id"]) for event in sandbox.events()]
    assert len(seen) == len(set(seen))
    counts = {key: sum(key == one[:2] for one in seen) for key in {one[:2] for one in seen}}
    assert {("A", "PageView"): 4, ("A", "ClickButton"): 11, ("B", "PageView"): 3, ("B", "ClickButton"): 9} == counts
