"""What the visitor's consent lets out: the whole event, the person in it, a cookie."""

from typing import Literal, TypeAlias

from tikrelay.event import Consent, DropReason, Signal
from tikrelay.mapping.config import ConsentRule

OwnRule: TypeAlias = Literal["", "ignore", "required_or_unknown", "required", "never"]


def keeps_back(consent: Consent, rule: ConsentRule) -> DropReason | None:
    """Say why an event may not be sent, or None when it may.

    >>> keeps_back(Consent(sending="denied"), "required_or_unknown"), keeps_back(Consent(), "required_or_unknown")
    (<DropReason.CONSENT_DENIED: 'consent_denied'>, None)
    >>> keeps_back(Consent(), "required"), keeps_back(Consent(sending="denied"), "ignore")
    (<DropReason.CONSENT_MISSING: 'consent_missing'>, None)
    """
    if rule == "ignore" or consent.sending == "granted":
        return None
    if consent.sending == "denied":
        return DropReason.CONSENT_DENIED
    return DropReason.CONSENT_MISSING if rule == "required" else None


def hides_person(consent: Consent, privacy_rule: ConsentRule, identifiers: OwnRule = "") -> bool:
    """Say whether an event goes without what identifies a person; ``identifiers`` is the rule for just that.

    Without one an explicit no to ad_user_data is obeyed, except where consent is ignored.

    >>> no = Consent(sending="granted", user_data="denied")
    >>> hides_person(no, "required_or_unknown"), hides_person(no, "ignore"), hides_person(no, "ignore", "required")
    (True, False, True)
    """
    default: OwnRule = "ignore" if privacy_rule == "ignore" else "required_or_unknown"
    return not _lets(consent.user_data, identifiers or default)


def may_set_cookie(consent: Consent, rule: ConsentRule, cookies: OwnRule = "") -> bool:
    """Say whether a cookie may be set in the browser; ``cookies`` is the rule for just that, by ad_storage.

    Without one: where the event may be sent, and never after a no.

    >>> no = Consent(sending="denied")
    >>> may_set_cookie(no, "ignore"), may_set_cookie(no, "ignore", "ignore"), may_set_cookie(no, "ignore", "never")
    (False, True, False)
    """
    if cookies:
        return _lets(consent.sending, cookies)
    return consent.sending != "denied" and keeps_back(consent, rule) is None


def _lets(said: Signal, rule: OwnRule) -> bool:
    match rule:
        case "ignore":
            return True
        case "required":
            return said == "granted"
        case "never":
            return False
        case _:
            return said != "denied"
