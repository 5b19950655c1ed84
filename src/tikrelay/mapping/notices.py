"""What can be doubtful about an event that is sent all the same: the kinds of warnings, counted and documented."""

from enum import StrEnum


class NoticeKind(StrEnum):
    """What can be doubtful about an event that is sent all the same. Every member is documented."""

    UNUSABLE = "unusable"
    """A field could not be read and was left out."""

    PERSONAL_DATA_REMOVED = "personal_data_removed"
    """A text or an address held an e-mail address, a phone number or a secret, which was taken out."""

    USER_DATA_DENIED = "user_data_denied"
    """The visitor said no to ad_user_data: e-mail, phone, names, address and external id were left out."""

    CUSTOM_NAME = "custom_name"
    """The name breaks TikTok's rules for custom events."""

    RESERVED_NAME = "reserved_name"
    """TikTok counts the name as another event."""

    NAME_ENDS = "name_ends"
    """TikTok stops taking the name in 2027."""

    SENSITIVE_NAME = "sensitive_name"
    """The name hints at what TikTok's terms forbid to share."""

    TEST_EVENT = "test_event"
    """The event goes out as a test and does not count for ads."""

    NO_EVENT_ID = "no_event_id"
    """The hit has no event_id: the copy that the browser pixel sends cannot be told to be the same."""

    ID_AS_NUMBER = "id_as_number"
    """An id came as a number and was made a text, as TikTok wants it; digits may have been lost before."""

    UNKNOWN_PARAMETER = "unknown_parameter"
    """A parameter that begins with x-ttq- is none that is known."""

    PHONE_WITHOUT_COUNTRY = "phone_without_country"
    """A phone number has no country code, so it was left out."""

    NUMBER_READ = "number_read"
    """A number was written as people write it, and read."""

    NO_CONTENTS = "no_contents"
    """The event says nothing of products, which catalogue ads need."""

    CONTENT_WITHOUT_ID = "content_without_id"
    """A product has no id, so it cannot be found in the catalogue."""

    LEAD_WITHOUT_ID = "lead_without_id"
    """The event for a CRM event set has no lead_id."""

    EVENT_TIME_UNIT = "event_time_unit"
    """The time did not come in seconds, and was read."""

    UNLISTED_CURRENCY = "unlisted_currency"
    """The currency is not in TikTok's list."""

    VALUE_WITHOUT_CURRENCY = "value_without_currency"
    """There is a value and no currency: TikTok cannot count it as revenue."""

    EVENT_TIME_OLD = "event_time_old"
    """The event lies further back than TikTok attributes."""

    EVENT_TIME_FUTURE = "event_time_future"
    """The event lies in the future."""

    NO_MATCH_KEY = "no_match_key"
    """Nothing in the event lets TikTok match it with a visitor."""

    CUT = "cut"
    """A text or a list was longer than is sent, and was cut."""
