"""Which TikTok event a name becomes."""

import pytest

from tikrelay.event import DropReason
from tikrelay.mapping.config import MappedDestination, MappingConfig
from tikrelay.mapping.names import (
    APP_GA4_NAMES,
    APP_NAMES,
    DROPPED_NAMES,
    RESERVED_NAMES,
    STANDARD_NAMES,
    Names,
    breaks_custom_rules,
    ending_names,
)

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
    "in_app_purchase",
)  # fmt: skip


# What GA4's events become in an app, written down a second time.
IN_AN_APP = {
    "purchase": "Purchase", "in_app_purchase": "Purchase", "begin_checkout": "Checkout", "sign_up": "Registration",
    "complete_registration": "Registration", "generate_lead": "GenerateLead", "login": "Login",
    "add_to_cart": "AddToCart", "add_to_wishlist": "AddToWishlist", "add_payment_info": "AddPaymentInfo",
    "view_item": "ViewContent", "search": "Search", "subscribe": "Subscribe", "first_open": "InstallApp",
    "app_open": "LaunchAPP", "tutorial_complete": "CompleteTutorial", "level_up": "AchieveLevel",
    "unlock_achievement": "UnlockAchievement", "spend_virtual_currency": "SpendCredits", "join_group": "JoinGroup",
    "ad_click": "InAppADClick", "ad_impression": "InAppADImpr",
}  # fmt: skip


def destination(event_source="web", own=None) -> MappedDestination:
    return MappedDestination(event_source_id="C0EXAMPLE", event_source=event_source, events=own or {})


def names(event_source="web", own=None, **settings) -> Names:
    return Names(MappingConfig(**settings), destination(event_source, own))


def one(*given, **settings):
    """The only TikTok event a name becomes."""
    (found,) = names(**settings).of(*given)
    return found


@pytest.mark.parametrize(("given", "becomes"), ASKED_FOR.items())
def test_a_ga4_name_becomes_the_event_that_was_asked_for(given, becomes):
    assert becomes == one(given)


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
    assert becomes == one(given, **settings)


@pytest.mark.parametrize("standard", STANDARD_NAMES)
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title, str])
def test_a_name_of_tiktoks_is_sent_in_its_spelling_however_it_is_written(standard, spell):
    written = spell(standard)
    ga4_has_it = written in ASKED_FOR

    assert (ASKED_FOR[written] if ga4_has_it else standard) == one(written)


@pytest.mark.parametrize(("written", "sent"), [("AddToWishList", "AddToWishlist"), ("Submitform", "SubmitForm")])
def test_the_spellings_of_the_old_tags_readme_are_understood(written, sent):
    assert sent == one(written)


@pytest.mark.parametrize("name", GA4_EVENTS_WITHOUT_A_PLACE)
def test_any_other_name_goes_through_unchanged(name):
    assert name == one(name)


@pytest.mark.parametrize("name", ["Page_View", "ADD_TO_CART", "My Event", "événement", "page_view2", "Trial-Started"])
def test_only_tiktoks_own_names_are_matched_in_any_case(name):
    assert name == one(name)


@pytest.mark.parametrize("name", ["user_engagement", "scroll", "session_start", "first_visit"])
def test_ga4s_housekeeping_is_dropped(name):
    assert DropReason.NO_MAPPING == names().of(name)


@pytest.mark.parametrize("name", [*ASKED_FOR, *GA4_EVENTS_WITHOUT_A_PLACE, "Scroll", "first_open", "app_remove"])
def test_nothing_else_is_dropped(name):
    assert isinstance(one(name), str)


@pytest.mark.parametrize(
    ("own", "given", "becomes"),
    [
        ({"trial_started": "StartTrial"}, "trial_started", "StartTrial"),
        ({"trial_started": "starttrial"}, "trial_started", "StartTrial"),
        ({"view_cart": "MyCart"}, "view_cart", "MyCart"),
        ({"view_cart": " AddToCart "}, "view_cart", "AddToCart"),
        ({"scroll": "DeepRead"}, "scroll", "DeepRead"),
        ({"purchase": "Purchase"}, "purchase", "Purchase"),
        ({" view_cart": "MyCart"}, "view_cart ", "MyCart"),
        ({"trial": "generate_lead"}, "trial", "SubmitForm"),
        ({"click": ""}, "page_view", "PageView"),
    ],
)
def test_the_operators_own_names_come_first(own, given, becomes):
    assert becomes == one(given, events=own)
    assert becomes == one(given, own=own)
    assert becomes == one(given, own=own, events={"scroll": "x", "view_cart": "x", given: "x"} if given in own else {})


@pytest.mark.parametrize(
    ("becomes", "sent"),
    [
        (("Purchase", "Order"), ("Purchase", "Order")),
        (("Order", "Purchase"), ("Order", "Purchase")),
        ((" purchase ", "starttrial"), ("PlaceAnOrder", "StartTrial")),
        (("purchase", "PLACEANORDER", "PlaceAnOrder"), ("PlaceAnOrder",)),
        (("", "Order", " "), ("Order",)),
    ],
)
def test_a_name_may_become_several(becomes, sent):
    assert sent == names(events={"order": becomes}).of("order")


@pytest.mark.parametrize("nothing", ["", " ", (), ("",), (" ", "")])
def test_a_name_may_become_none(nothing):
    assert DropReason.BY_RULE == names(events={"click": nothing}).of("click")
    assert DropReason.BY_RULE == names(own={"click": nothing}, events={"click": "Lead"}).of("click")
    assert ("Lead",) == names(own={"click": "Lead"}, events={"click": nothing}).of("click")


@pytest.mark.parametrize("name", APP_NAMES)
def test_an_app_has_names_of_its_own(name):
    assert name == one(name.upper(), event_source="app")
    assert names("app").is_standard(name)


@pytest.mark.parametrize(("given", "becomes"), IN_AN_APP.items())
def test_a_ga4_name_becomes_an_event_of_the_apps_list(given, becomes):
    assert becomes == one(given, event_source="app", purchase_event="PlaceAnOrder", lead_event="SubmitForm")
    assert becomes in APP_NAMES


def test_the_apps_own_table_holds_no_event_that_is_dropped_or_unknown():
    assert set() == set(APP_GA4_NAMES) & DROPPED_NAMES
    assert set() == set(APP_GA4_NAMES.values()) - set(APP_NAMES)


@pytest.mark.parametrize("name", ["tutorial_complete", "level_up", "first_open", "login"])
def test_ga4s_app_events_are_no_standard_events_elsewhere(name):
    assert [name] * 3 == [one(name, event_source=source) for source in ("web", "offline", "crm")]


@pytest.mark.parametrize("event_source", ["offline", "crm"])
def test_offline_and_crm_have_the_webs_list(event_source):
    assert "PlaceAnOrder" == one("purchase", event_source=event_source)
    assert names(event_source).is_standard("completepayment")
    assert not names(event_source).is_standard("InstallApp")
    assert "Contact" == names(event_source).reserved_for("Consult")


def test_an_app_has_no_reserved_names_and_none_that_end():
    assert (None, None) == (names("app").reserved_for("Registration"), names("app").ending_of("PlaceAnOrder"))
    assert "CompleteRegistration" == names().reserved_for("Registration")


def test_a_crms_names_may_be_in_any_language():
    kinds = ("web", "app", "offline", "crm")

    assert [True, True, True, False] == [names(kind).breaks_custom_rules("zahlende Kundin") for kind in kinds]
    assert not any(names(kind).breaks_custom_rules("qualified_lead") for kind in kinds)


@pytest.mark.parametrize(
    ("name", "instead"),
    [("PlaceAnOrder", "Purchase"), ("ClickButton", "Lead, Purchase or ViewContent"), ("Purchase", None)],
)
def test_a_name_that_ends_is_known_with_what_tiktok_suggests(name, instead):
    assert instead == names().ending_of(name)


def test_ga4s_login_is_no_app_event_on_the_web():
    assert ("login", "Login") == (one("login"), one("login", event_source="app"))


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


@pytest.mark.parametrize(
    ("event_source", "name", "told"),
    [
        ("crm", "zahlende Kundin", []),
        ("web", "zahlende Kundin", ["custom_name"]),
        ("app", "purchase", []),
        ("app", "Registration", []),
        ("web", "Registration", ["reserved_name"]),
        ("crm", "Registration", ["reserved_name"]),
        ("offline", "purchase", ["name_ends"]),
    ],
)
def test_each_kind_of_destination_has_its_own_doubts_about_names(kinds, event_source, name, told):
    settings = {"event_source": event_source, "app_id": "1"}

    assert told == [kind for kind, field in kinds(name, settings=settings) if field == "event"]


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


@pytest.mark.parametrize(
    ("settings", "own", "key"),
    [
        ({"purchase_event": "Purchase", "events": {"click": "", "order": ("Order", "placeanorder")}}, {}, "mapping"),
        ({"purchase_event": "Purchase", "events": {"click": "", "purchase": "PlaceAnOrder"}}, {}, "mapping"),
        ({"purchase_event": "Purchase", "events": {"click": ""}}, {"order": "PlaceAnOrder"}, "destinations"),
        ({"purchase_event": "Purchase", "events": {"click": ""}}, {"purchase": ("PlaceAnOrder",)}, "destinations"),
    ],
)
def test_an_own_name_that_ends_is_told_with_where_it_stands(settings, own, key):
    (told,) = ending_names(MappingConfig(**settings), destination(own=own))

    assert "is sent as PlaceAnOrder, " in told
    assert f'set {key}.events, "Purchase"' in told


def test_a_destinations_own_names_may_mend_it():
    own = {"purchase": "Purchase", "click": ()}

    assert [] == ending_names(MappingConfig(), destination(own=own))


def test_no_name_ends_in_an_app():
    assert [] == ending_names(MappingConfig(events={"order": "PlaceAnOrder"}), destination("app"))


def test_a_name_with_spaces_around_is_known_and_an_own_one_is_sent_as_it_is(body, kinds):
    assert body("Purchase ")["event"] == "Purchase"
    assert body(" purchase ")["event"] == "PlaceAnOrder"
    assert body("own ")["event"] == "own "
    assert ("custom_name", "event") in kinds("own ")
