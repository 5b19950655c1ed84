"""What the visitor's consent lets out: the whole event, the person in it, a cookie."""

from tikrelay.event import Consent, DropReason, Signal
from tikrelay.mapping.config import ConsentRule, OwnConsentRule


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


def why_hidden(consent: Consent, privacy_rule: ConsentRule, identifiers: OwnConsentRule = "") -> str:
    """Say why an event goes without what identifies a person, or nothing; ``identifiers`` is the rule for just that.

    Without one an explicit no to ad_user_data is obeyed, except where consent is ignored.

    >>> no = Consent(sending="granted", user_data="denied")
    >>> why_hidden(no, "required_or_unknown"), why_hidden(no, "ignore"), why_hidden(no, "ignore", "never")
    ('ad_user_data is not granted', '', 'privacy.identifiers is never')
    """
    rule = identifiers or ("ignore" if privacy_rule == "ignore" else "required_or_unknown")
    if _lets(consent.user_data, rule):
        return ""
    return "privacy.identifiers is never" if rule == "never" else "ad_user_data is not granted"


def may_set_cookie(consent: Consent, rule: ConsentRule, cookies: OwnConsentRule = "") -> bool:
    """Say whether a cookie may be set in the browser; ``cookies`` is the rule for just that, by ad_storage.

    Without one: where the event may be sent, and never after a no.

    >>> no = Consent(sending="denied")
    >>> may_set_cookie(no, "ignore"), may_set_cookie(no, "ignore", "ignore"), may_set_cookie(no, "ignore", "never")
    (False, True, False)
    """
    if cookies:
        return _lets(consent.sending, cookies)
    return consent.sending != "denied" and keeps_back(consent, rule) is None


def _lets(said: Signal, rule: OwnConsentRule) -> bool:
    match rule:
        case "ignore":
            return True
        case "required":
            return said == "granted"
        case "never":
            return False
        case _:
            return said != "denied"
