"""What a name hints at that TikTok's terms forbid to share.

TikTok names the kinds (data about children, health, money, and the special categories of its Business Products Data
Terms; custom events must not suggest sensitive or illegal matters) and no words. The words here are our own list: a
lint that warns, never a rule that drops. It looks at whole words of a name, in English, German, French and Spanish, so
that neither ``scancer`` nor ``class_action_figure`` is meant.

Words that shops need every day are left out on purpose, and found only in company: ``children_shoes`` and
``adult_ticket`` are goods, ``child_age`` and ``adult_video`` are not; ``loan`` is in TikTok's own event names.
"""

import functools
import re
import unicodedata
from typing import Final

# A star stands for any ending of a word.
_TOPICS: Final = {
    "health": """
        health healthcare medic* patient* disease* symptom* diagnosis diagnosed cancer diabet* hiv depress* therapy
        therapies therapist* psychiat* psycholog* pregnan* abortion* fertility infertil* miscarriage* menopaus* addict*
        rehab disabilit* disabled_person surgery vaccin* prescription* insulin viagra weight_loss blood_pressure
        gesundheit* krank* arzt* aerzt* krebs* schwanger* medikament* impfung* therapie* diagnose* behinder*
        sante maladie* grossesse enceinte salud enfermedad* embaraz*
        """,
    "children": """
        minors underage child_age child_name child_birth* child_dob child_gender child_school childs_age childs_name
        children_age* children_name* kid_age kids_age kid_name kids_name baby_due_date due_date_baby
        under_13 under_14 under_16 under_18 minderjaehrig* minderjahrig* kindesalter alter_kind enfant_age age_enfant
        mineur_age menor_de_edad menores_de_edad edad_hijo
        """,
    "money troubles": """
        debt debts debtor* indebted bankrupt* insolven* overdraft* foreclosure* creditworth* credit_score payday
        bad_credit salary income net_worth bank_account account_balance iban
        schulden schuldner* ueberschuld* uberschuld* insolvenz* pfaendung* pfandung* schufa gehalt einkommen
        dette* surendett* faillite* salaire* deuda* bancarrota salario*
        """,
    "religion": """
        religio* christianity catholic* protestant* muslim* islam* jewish judaism hindu* buddhis* church* mosque*
        synagogue* baptism* kirche* katholi* evangelisch* moschee* konfession* eglise* musulman* juif juive iglesia*
        catolic* judio*
        """,
    "sexuality": """
        gay gays lesbian* bisexual* homosex* transgender* transsex* lgbt* queer sex sexual* sexuell* sexuel* porn*
        erotic* erotik* erotique* fetish* adult_content adult_video* adult_toy* escort_service* schwul* lesbisch*
        lesbienne* orientation_sexuelle
        """,
    "politics": """
        politi* election elections voter* ballot* republican* democrat* conservative_party labour_party party_member*
        wahlkampf* waehler* parteimitglied* electeur* electora* elecciones votante*
        """,
    "trade unions": """
        trade_union* labor_union* labour_union* union_member* unionized unionised gewerkschaft* betriebsrat* syndicat
        syndicats syndical* sindicat* sindical*
        """,
    "ethnic origin": """
        ethnic* racial immigra* asylum* refugee* fluechtling* fluchtling* asylbewerb* refugie* refugiad*
        """,
    "crime": """
        crime crimes criminal* felon felons felony convict convicts convicted arrested prison* jail* drugs cocaine
        heroin cannabis marijuana weapon* firearm* ammunition straftat* vorstraf* gefaengnis* gefangnis*
        drogen waffe waffen delit delits condamnation drogue* delito* crimen* carcel* drogas
        """,
    "body data": "biometric* genetic* dna_test* gentest* biometri* genetisch* genetique* genetica*",
}
_LONGEST: Final = 200
_WORD: Final = re.compile(r"[a-z]+|[0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TO_LATIN: Final = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe"})


def _pattern(words: str) -> str:
    return "|".join(word.replace("*", "[a-z]*").replace("_", " ") for word in words.split())


_HINTS: Final = {topic: re.compile(f"(?<![^ ])(?:{_pattern(words)})(?![^ ])") for topic, words in _TOPICS.items()}
TOPICS: Final = tuple(_TOPICS)


@functools.lru_cache(maxsize=1024)
def sensitive_topic(name: str) -> str | None:
    """Say which topic the words of a name hint at, if any.

    >>> sensitive_topic("cancer_screening"), sensitive_topic("PregnancyTest"), sensitive_topic("class_action_figure")
    ('health', 'health', None)
    """
    words = _words(name[:_LONGEST])
    return next((topic for topic, hint in _HINTS.items() if hint.search(words)), None)


def _words(name: str) -> str:
    """Part a name in snake, kebab or camel case into words of Latin letters without accents.

    >>> _words("childAge-under13"), _words("arrêtMaladie")
    ('child age under 13', 'arret maladie')
    """
    plain = unicodedata.normalize("NFKD", name.translate(_TO_LATIN))
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(_WORD.findall(_CAMEL.sub(" ", bare).lower()))
