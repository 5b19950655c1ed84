"""What the visitor's consent lets out: the whole event, the person in it, a cookie."""

from tikrelay.event import Consent, DropReason
from tikrelay.mapping.config import ConsentRule


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


def hides_person(consent: Consent, rule: ConsentRule) -> bool:
    """Say whether an event goes without what identifies a person: ad_user_data is denied while ads are not."""
    return rule != "ignore" and consent.user_data == "denied"


def may_set_cookie(consent: Consent, rule: ConsentRule) -> bool:
    """Say whether the click id may be kept in the browser: where the event may be sent, and never after a no."""
    return consent.sending != "denied" and keeps_back(consent, rule) is None
