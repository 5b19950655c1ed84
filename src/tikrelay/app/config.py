"""Config: the steps' own sections put together."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tikrelay.base.secret import Secret
from tikrelay.collect.config import CookiesConfig, LimitsConfig, SourcesConfig
from tikrelay.mapping.config import MappedDestination, MappingConfig, PrivacyConfig, RuleConfig
from tikrelay.outbox.config import OutboxConfig
from tikrelay.send.config import SendConfig
from tikrelay.tiktok.config import TikTokConfig
from tikrelay.watch.config import AlarmsConfig

Port = Annotated[int, Meta(ge=0, le=65535)]


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens: ``[server]``."""

    host: str = "127.0.0.1"
    """The address of the public port."""

    port: Port = 8080
    """The public port; 0 takes a free one."""

    admin_port: Port = 8081
    """Metrics, status and commands; 0 takes a free one."""

    admin_host: str = "127.0.0.1"
    """The address of the admin port; any but this machine's own needs admin_password."""

    admin_password: Secret = Secret("")
    """When set, the admin port asks for it, as a password (any user) or as Authorization: Bearer."""

    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes, each with its own outbox file and sender; one a core is plenty."""

    trusted_proxies: tuple[str, ...] = ()
    """CIDRs whose X-Forwarded-For is believed."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting."""

    server: ServerConfig = ServerConfig()
    sources: SourcesConfig = SourcesConfig()
    limits: LimitsConfig = LimitsConfig()
    mapping: MappingConfig = MappingConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    cookies: CookiesConfig = CookiesConfig()
    tiktok: TikTokConfig = TikTokConfig()
    outbox: OutboxConfig = OutboxConfig()
    send: SendConfig = SendConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    rules: tuple[RuleConfig, ...] = ()
    destinations: tuple[MappedDestination, ...] = ()
