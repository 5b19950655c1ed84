"""Which TikTok event a name becomes."""

import pytest

from tikrelay.event import DropReason
from tikrelay.mapping.config import MappingConfig
from tikrelay.mapping.names import APP_NAMES, RESERVED_NAMES, STANDARD_NAMES, Names, breaks_custom_rules, ending_names

# The mapping that was asked for, written down a second time.
ASKED_FOR = {
    "page_view": "PageView", "view_item": "ViewContent", "click": "ClickButton", "search": "Search",
    "add_to_wishlist": "AddToWishlist", "add_to_cart": "AddToCart", "begin_checkout": "InitiateCheckout",
    "add_payment_info": "AddPaymentInfo", "purchase": "PlaceAnOrder", "contact": "Contact",
    "file_download": "Download", "download": "Download", "generate_lead": "SubmitForm",
    "complete_registration": "CompleteRegistration", "sign_up": "CompleteRegistration", "subscribe": "Subscribe",
}  # fmt: skip
GA4_EVENTS_WITHOUT_A_PLACE = (
    "view_cart", "remove_from_cart", "refund", "view_item_list", "select_item", "add_shipping_info", "login", "share",
    "view_search_results", "select_content", "video_start", "form_start", "form_submit", "view_promotion", "exception",
)  # fmt: skip


def names(event_source="web", **settings) -> Names:
    return Names(MappingConfig(**settings), event_source)


@pytest.mark.parametrize(("given", "becomes"), ASKED_FOR.items())
def test_a_ga4_name_becomes_the_event_that_was_asked_for(given, becomes):
    assert becomes == names().of(given)


@pytest.mark.parametrize(
    ("settings", "given", "becomes"),
    [
        ({"purchase_event": "CompletePayment"}, "purchase", "CompletePayment"),
        ({"purchase_event": "Purchase"}, "purchase", "Purchase"),
        ({"page_view_event": "Pageview"}, "page_view", "Pageview"),
        ({"page_view_event": "Pageview"}, "PageView", "Pageview"),
        ({"page_view_event": "Pageview"}, "pageview", "Pageview"),
        ({}, "Pageview", "PageView"),
        ({"lead_event": "Lead"}, "generate_lead", "Lead"),
        ({"lead_event": "Lead"}, "SubmitForm", "SubmitForm"),
        ({"purchase_event": "CompletePayment"}, "Purchase", "Purchase"),
        ({"purchase_event": "CompletePayment"}, "PlaceAnOrder", "PlaceAnOrder"),
    ],
)
def test_three_names_are_settings(settings, given, becomes):
    assert becomes == names(**settings).of(given)


@pytest.mark.parametrize("standard", STANDARD_NAMES)
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title, str])
def test_a_name_of_tiktoks_is_sent_in_its_spelling_however_it_is_written(standard, spell):
    written = spell(standard)
    ga4_has_it = written in ASKED_FOR

    assert (ASKED_FOR[written] if ga4_has_it else standard) == names().of(written)


@pytest.mark.parametrize(("written", "sent"), [("AddToWishList", "AddToWishlist"), ("Submitform", "SubmitForm")])
def test_the_spellings_of_the_old_tags_readme_are_understood(written, sent):
    assert sent == names().of(written)


@pytest.mark.parametrize("name", GA4_EVENTS_WITHOUT_A_PLACE)
def test_any_other_name_goes_through_unchanged(name):
    assert name == names().of(name)


@pytest.mark.parametrize("name", ["Page_View", "ADD_TO_CART", "My Event", "événement", "page_view2", "Trial-Started"])
def test_only_tiktoks_own_names_are_matched_in_any_case(name):
    assert name == names().of(name)


@pytest.mark.parametrize("name", ["user_engagement", "scroll", "session_start", "first_visit"])
def test_ga4s_housekeeping_is_dropped(name):
    assert DropReason.NO_MAPPING == names().of(name)


@pytest.mark.parametrize("name", [*ASKED_FOR, *GA4_EVENTS_WITHOUT_A_PLACE, "Scroll", "first_open", "app_remove"])
def test_nothing_else_is_dropped(name):
    assert isinstance(names().of(name), str)
    assert not isinstance(names().of(name), DropReason)


@pytest.mark.parametrize(
    ("own", "given", "becomes"),
    [
        ({"trial_started": "StartTrial"}, "trial_started", "StartTrial"),
        ({"trial_started": "starttrial"}, "trial_started", "StartTrial"),
        ({"view_cart": "MyCart"}, "view_cart", "MyCart"),
        ({"view_cart": " AddToCart "}, "view_cart", "AddToCart"),
        ({"scroll": "DeepRead"}, "scroll", "DeepRead"),
        ({"purchase": "Purchase"}, "purchase", "Purchase"),
        ({"click": ""}, "click", DropReason.BY_RULE),
        ({"click": " "}, "click", DropReason.BY_RULE),
        ({"click": ""}, "page_view", "PageView"),
    ],
)
def test_the_operators_own_names_come_first(own, given, becomes):
    assert becomes == names(events=own).of(given)


@pytest.mark.parametrize("name", APP_NAMES)
def test_an_app_has_names_of_its_own(name):
    assert name == names("app").of(name.upper())
    assert names("app").is_standard(name)


def test_ga4s_login_is_no_app_event_on_the_web():
    assert ("login", "Login") == (names().of("login"), names("app").of("login"))


@pytest.mark.parametrize(("name", "counted_as"), RESERVED_NAMES.items())
def test_a_reserved_name_is_known_with_what_tiktok_counts_it_as(name, counted_as):
    assert counted_as == names().reserved_for(name.lower())


@pytest.mark.parametrize("name", ["view_cart", "a", "A-b_9", "x" * 50])
def test_a_name_by_tiktoks_rules_breaks_none(name):
    assert not breaks_custom_rules(name)


@pytest.mark.parametrize("name", ["", "1st", "_x", "my event", "x" * 51, "événement", "x\n", "a.b", "x "])
def test_a_name_against_tiktoks_rules_is_seen(name):
    assert breaks_custom_rules(name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("custom_name", "my event"),
        ("custom_name", "x" * 51),
        ("reserved_name", "Consult"),
        (None, "view_cart"),
        (None, "Lead"),
    ],
)
def test_a_doubtful_name_is_sent_with_a_notice(kinds, body, kind, name):
    found = [one for one, field in kinds(name) if field == "event"]

    assert [kind] * (kind is not None) == found
    assert name == body(name)["event"]


def test_names_that_end_in_2027_are_told_with_what_to_set_instead():
    told = ending_names(MappingConfig())

    assert ["PlaceAnOrder", "ClickButton"] == [
        name for name in ("PlaceAnOrder", "ClickButton") if name in "".join(told)
    ]
    assert ["mapping.purchase_event", "mapping.events"] == [
        key for key in ("mapping.purchase_event", "mapping.events") if key in "".join(told)
    ]


def test_names_that_are_not_sent_are_not_told():
    assert [] == ending_names(MappingConfig(purchase_event="CompletePayment", events={"click": "Lead"}))


def test_an_own_name_that_ends_is_told():
    assert 2 == len(ending_names(MappingConfig(purchase_event="Purchase", events={"purchase": "PlaceAnOrder"})))


def test_a_name_with_spaces_around_is_known_and_an_own_one_is_sent_as_it_is(body, kinds):
    assert body("Purchase ")["event"] == "Purchase"
    assert body(" purchase ")["event"] == "PlaceAnOrder"
    assert body("own ")["event"] == "own "
    assert ("custom_name", "event") in kinds("own ")
