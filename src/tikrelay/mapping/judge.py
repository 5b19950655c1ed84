"""What makes an event doubtful as a whole: its name, and what is missing in it. Nothing is changed here."""

import difflib
from itertools import islice
from typing import Any, Final

from tikrelay.mapping.cleaning import Context
from tikrelay.mapping.fields import FIELDS
from tikrelay.mapping.names import PURCHASES, Names
from tikrelay.mapping.notices import NoticeKind
from tikrelay.mapping.sensitive import sensitive_topic
from tikrelay.mapping.texts import shown_name

_MATCH_KEYS: Final = ("ttclid", "ttp", "email", "phone", "external_id")
_OFFLINE_KEYS: Final = ("email", "phone", "external_id")  # TikTok matches offline events by these alone
_OF_PRODUCTS: Final = PURCHASES | {"ViewContent", "AddToCart"}  # what catalogue ads are made of ("About parameters")


_OURS: Final = "x-ttq-"
_PARAMETERS: Final = frozenset({
    "x-ttq-event-name", "x-ttq-test-event-code",
    *(source.key for field in FIELDS for source in field.sources if source.key.startswith(_OURS)),
})  # fmt: skip
_MOST_UNKNOWN: Final = 3  # of one event are told


def judge_parameters(context: Context) -> None:
    """Warn of an x-ttq parameter that is none: a slip of the pen, by which something is lost."""
    data = context.event.data
    if _OURS not in "".join(data):
        return
    unknown = (name for name in data if name.startswith(_OURS) and name not in _PARAMETERS)
    for name in islice(unknown, _MOST_UNKNOWN):
        shown = shown_name(name[:100])
        context.target = f"{_OURS}*"  # counts are by field, and strangers choose the name
        near = difflib.get_close_matches(shown, _PARAMETERS, n=1, cutoff=0.5)
        meant = f"; did you mean {near[0]}?" if near else ""
        context.warn(NoticeKind.UNKNOWN_PARAMETER, f"{shown} is no parameter that is known, and was not used{meant}")


def judge_name(names: Names, context: Context) -> None:
    """Warn of a name that TikTok reserves, may not take, or will not take for long."""
    name = context.name
    context.target = "event"
    if (instead := names.ending_of(name)) is not None:
        context.warn(NoticeKind.NAME_ENDS, f"TikTok stops taking {name} in 2027; it suggests {instead}")
    if names.is_standard(name):
        return
    if (counted_as := names.reserved_for(name)) is not None:
        context.warn(NoticeKind.RESERVED_NAME, f"the name is reserved: TikTok counts it as {counted_as}")
    elif names.breaks_custom_rules(name):
        context.warn(
            NoticeKind.CUSTOM_NAME, "TikTok asks for a letter, then letters, digits, _ and -, at most 50; sent as it is"
        )
    if (topic := sensitive_topic(name)) is not None:
        context.warn(NoticeKind.SENSITIVE_NAME, f"the name hints at {topic}, which TikTok's terms forbid to share")


def judge_whole(body: dict[str, Any], context: Context, *, hidden_by: str) -> None:
    """Warn of what makes the event of little use to TikTok; ``hidden_by`` is why the person is left out, if so."""
    user: dict[str, Any] = body.get("user", {})
    properties: dict[str, Any] = body.get("properties", {})
    if hidden_by:
        context.target = "user"
        context.warn(
            NoticeKind.USER_DATA_DENIED,
            f"{hidden_by}: e-mail, phone, names, address and external id are left out",
        )
    if properties.get("value") and "currency" not in properties:
        context.target = "properties.currency"
        context.warn(NoticeKind.VALUE_WITHOUT_CURRENCY, "there is a value but no currency; TikTok cannot count it")
    source = context.settings.event_source
    if source == "web" and context.name in _OF_PRODUCTS and "contents" not in properties:
        context.target = "properties.contents"
        context.warn(NoticeKind.NO_CONTENTS, "no products are given; catalogue ads cannot use the event: send items")
    if source == "crm" and not body.get("lead", {}).get("lead_id"):
        context.target = "lead.lead_id"
        context.warn(NoticeKind.LEAD_WITHOUT_ID, "lead_id is missing; TikTok cannot tell which lead it is")
    _judge_match(user, context)


def _judge_match(user: dict[str, Any], context: Context) -> None:
    """Warn where nothing lets TikTok match the event with a person."""
    context.target = "user"
    if context.settings.event_source == "offline":
        if not any(key in user for key in _OFFLINE_KEYS):
            context.warn(NoticeKind.NO_MATCH_KEY, "no email, phone or external_id: TikTok cannot match it")
    elif context.settings.event_source == "crm":
        return  # a lead is known by its id
    elif context.settings.event_source == "app" and ("idfa" in user or "gaid" in user or "idfv" in user):
        return
    elif not any(key in user for key in _MATCH_KEYS) and not ("ip" in user and "user_agent" in user):
        context.warn(
            NoticeKind.NO_MATCH_KEY,
            "no ttclid, ttp, email, phone or external_id, and not both address and agent: TikTok cannot match it",
        )
