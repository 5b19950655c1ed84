"""What a name hints at."""

import pytest

from tikrelay.mapping.names import APP_NAMES, DROPPED_NAMES, RESERVED_NAMES, STANDARD_NAMES
from tikrelay.mapping.sensitive import TOPICS, sensitive_topic

HINTS = {
    "health": [
        "cancer_screening", "CancerScreening", "cancer-screening", "screening cancer", "HIVTest", "hiv2",
        "bookDoctorDepression", "Schwangerschaftstest", "arrêt_maladie", "cita_embarazada", "santé", "Ärztetermin",
        "Aerztetermin", "Arzttermin", "weightLossPlan", "health_check",
    ],
    "children": ["child_age", "childAge", "under13", "is_under_18", "minderjährig", "menor-de-edad", "enfant.age"],
    "money troubles": [
        "credit_score_check", "BankruptcyAdvice", "schulden", "debt", "surendettement", "income_bracket", "deudas",
    ],
    "religion": ["religion", "church_donation", "Kirchensteuer", "église", "MuslimPrayerTimes"],
    "sexuality": ["gay_dating", "LGBTQ", "adult_video_view", "sexToys", "erotik_shop", "sex"],
    "politics": ["PoliticalParty", "politique", "Politik", "voter_id", "elecciones"],
    "trade unions": ["trade_union", "Gewerkschaftsmitglied", "sindicato", "syndicat"],
    "ethnic origin": ["ethnicity", "asylum_request", "Flüchtlingshilfe"],
    "crime": ["criminal_record", "buyWeapons", "drogen", "delito", "prisonVisit"],
    "body data": ["biometric_login", "DNATest"],
}  # fmt: skip


@pytest.mark.parametrize(("topic", "name"), [(topic, name) for topic, names in HINTS.items() for name in names])
def test_a_name_hints_at_a_topic_by_its_words(topic, name):
    assert topic == sensitive_topic(name)


def test_every_topic_is_tried():
    assert list(TOPICS) == list(HINTS)


@pytest.mark.parametrize(
    "name",
    [
        "scancer", "class_action_figure", "adult_ticket", "children_shoes", "kids_menu", "baby_stroller", "child_seat",
        "loan_application", "LoanApproval", "sextant", "essex", "sussex_tour", "gayle", "vote_for_color",
        "party_supplies", "union_jack_flag", "reunion", "credit_card_form", "wedding_registry", "drugstore_visit",
        "drogerie", "waffel", "waffeleisen", "polite_reminder", "race_entry", "class_booking", "fertilizer",
        "dietary_info", "fitness_plan", "clinique_offer", "christian_dior", "catalog_view", "migration_done",
        "fingerprint_js", "syndication", "content_syndicated", "std_checkout", "assassin_game", "analysis_done",
        "under_armour", "under_130", "13_under", "view_cart", "trial_started", "newsletter_signup", "size_guide",
        "generic_event", "patience", "minor_update", "due_date", "account_created", "conviction", "", "_", "1", "🙂",
        "商品",
    ],
)  # fmt: skip
def test_a_name_that_only_looks_like_it_hints_at_nothing(name):
    assert sensitive_topic(name) is None


def test_the_names_that_tiktok_and_ga4_give_themselves_hint_at_nothing():
    known = [*STANDARD_NAMES, *APP_NAMES, *RESERVED_NAMES, *DROPPED_NAMES]

    assert [] == [name for name in known if sensitive_topic(name)]
