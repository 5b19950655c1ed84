"""The settings of collecting: ``[sources]``."""

import msgspec

from tikrelay.base.secret import Secret


class SourcesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send."""

    measurement_ids: tuple[str, ...] = ()
    """GA4 measurement ids (G-...) that are taken; empty takes any, with a warning at start."""

    mp_api_secret: Secret = Secret("")
    """When set, /mp/collect takes only calls whose api_secret is this."""

    data_key: Secret = Secret("")
    """When set, /data takes only calls with the header Authorization: Bearer and this."""
