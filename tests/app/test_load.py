"""Settings from a file and the environment."""

from pathlib import Path

import pytest

from tikrelay.app.load import parse_settings, read_settings
from tikrelay.base.errors import ConfigError

GOOD = """
[server]
port = 9000

[[destinations]]
name = "shop"
event_source_id = "C0ABCDEFGH1234567890"
access_token = "t0ken"
"""


def mistakes_of(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, Path("/etc/tikrelay.toml"), environment or {})
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_file_is_read_over_the_defaults():
    config = parse_settings(GOOD, None, {}).config

    assert (9000, 8081, "t0ken") == (
        config.server.port,
        config.server.admin_port,
        config.destinations[0].access_token.reveal(),
    )


def test_the_environment_wins_over_the_file():
    environment = {
        "TIKRELAY_SERVER_PORT": "9100",
        "TIKRELAY_SERVER_TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1/32",
        "TIKRELAY_MAPPING_EVENTS": '{"trial_started": "StartTrial"}',
        "TIKRELAY_DESTINATIONS_ACCESS_TOKEN": "other",
        "TIKRELAY_SEND_MAX_AGE": "36h",
    }

    config = parse_settings(GOOD, None, environment).config

    assert 9100 == config.server.port
    assert ("10.0.0.0/8", "127.0.0.1/32") == config.server.trusted_proxies
    assert {"trial_started": "StartTrial"} == config.mapping.events
    assert "other" == config.destinations[0].access_token.reveal()
    assert 36 * 3600 == config.send.max_age


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_the_admin_port_of_this_machine_needs_no_password(address: str):
    text = GOOD.replace("port = 9000", f'admin_host = "{address}"')

    assert address == parse_settings(text, None, {}).config.server.admin_host


def test_the_admin_port_of_any_address_is_taken_with_a_password():
    text = GOOD.replace("port = 9000", 'admin_host = "0.0.0.0"\nadmin_password = "open sesame"')

    assert "0.0.0.0" == parse_settings(text, None, {}).config.server.admin_host


def test_three_variables_are_enough():
    environment = {
        "TIKTOK_PIXEL_CODE": "C0ABCDEFGH1234567890",
        "TIKTOK_ACCESS_TOKEN": "t0ken",
        "TIKTOK_PURCHASE_EVENT": "CompletePayment",
    }

    config = parse_settings("", None, environment).config

    assert ("C0ABCDEFGH1234567890", "CompletePayment") == (
        config.destinations[0].event_source_id,
        config.mapping.purchase_event,
    )


def test_all_mistakes_are_reported_at_once_with_line_key_and_nearest_name():
    text = """
[server]
prot = 9000
workers = 0

[sendd]

[send]
max_age = "soon"

[[destinations]]
event_source_id = "C0ABCDEFGH1234567890"
acces_token = "t0ken"
event_source = "wep"
"""

    found = mistakes_of(text)

    assert "/etc/tikrelay.toml:3: server.prot: is no setting\n    did you mean port?" in found
    assert any(
        mistake.startswith("/etc/tikrelay.toml:4: server.workers: Expected `int` >= 1".replace("`", ""))
        for mistake in found
    )
    assert "/etc/tikrelay.toml:6: [sendd]: is no setting\n    did you mean send?" in found
    assert any("/etc/tikrelay.toml:9: send.max_age: 'soon' is not a length of time" in mistake for mistake in found)
    assert "/etc/tikrelay.toml:13: destinations[0].acces_token: is no setting\n    did you mean access_token?" in found
    where = "/etc/tikrelay.toml:14: destinations[0].event_source"
    assert f"{where}: 'wep' is not one of web, app, offline, crm; did you mean web?" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "destinations: there is none"),
        (GOOD + '[tiktok]\nbase_url = "http://tiktok.example"', "would send the token unencrypted"),
        (GOOD + '[send]\nmax_age = "0s"', "is so short that an outage"),
        (GOOD + '[tiktok]\nbase_url = "ftp://x"', "is no https address"),
        (GOOD + '[tiktok]\nbase_url = "https://[::1"', "is no https address"),
        (GOOD + '[outbox]\nurl = "nats://a:4222"', "this version keeps its outbox in SQLite only"),
        (GOOD + '[outbox]\nurl = "data"', "names no store"),
        (GOOD.replace("port = 9000", "port = 8081"), "server.admin_port: is the public port too"),
        (GOOD.replace("port = 9000", 'admin_host = "0.0.0.0"'), "server.admin_host: would let everybody"),
        (GOOD.replace("port = 9000", 'admin_host = "::"'), "server.admin_host: would let everybody"),
        (GOOD.replace("port = 9000", 'admin_host = "relay.internal"'), "server.admin_host: would let everybody"),
        (GOOD.replace("port = 9000", 'trusted_proxies = ["caddy"]'), "'caddy' is no network"),
        (
            GOOD + '[sources]\nhosts = ["https://gw.shop.example"]',
            "sources.hosts: 'https://gw.shop.example' is no host",
        ),
        (GOOD + '[sources]\nhosts = ["gw.*.example"]', "sources.hosts: 'gw.*.example' is no host"),
        (GOOD + '[sources]\norigins = ["shop.example"]', "sources.origins: 'shop.example' is no site"),
        (
            GOOD + '[sources]\norigins = ["https://shop.example/"]',
            "sources.origins: 'https://shop.example/' is no site",
        ),
        (GOOD.replace('"t0ken"', '"..."'), "is still the example's placeholder"),
        (GOOD.replace('"t0ken"', '"to ken"'), "holds characters no token has"),
        (GOOD.replace("event_source_id", 'event_source = "offline"\nevent_source_id'), "looks like a pixel code"),
        (GOOD + '[mapping]\ndefault_phone_country = "Germany"', "'Germany' is no country"),
        (GOOD + '[[destinations]]\nevent_source_id = "C1"\naccess_token = "t"', "'shop' stands twice"),
        ("[server\n", "TOML"),
        (GOOD + "[server]\n", "TOML"),
        ("server = 3", "server: must be a section"),
        ("destinations = 3", "must be written as [[destinations]]"),
        (GOOD.replace('"t0ken"', '""'), "destinations[0].access_token: is missing"),
    ],
)
def test_a_setting_that_cannot_work_is_named(text: str, words: str):
    assert words in "\n".join(mistakes_of(text))


def test_an_unknown_variable_is_named_with_the_nearest_one():
    assert ["environment: TIKRELAY_SERVER_PROT: is no setting\n    did you mean TIKRELAY_SERVER_PORT?"] == mistakes_of(
        GOOD, {"TIKRELAY_SERVER_PROT": "1"}
    )


def test_a_wrong_variable_is_reported_under_its_own_name():
    found = mistakes_of(GOOD, {"TIKRELAY_SERVER_PORT": "eighty"})

    assert found[0].startswith("TIKRELAY_SERVER_PORT: server.port: ")


def test_a_table_in_a_variable_is_written_as_toml_or_as_json():
    for text in ('{ trial_started = "StartTrial" }', '{"trial_started": "StartTrial"}'):
        config = parse_settings(GOOD, None, {"TIKRELAY_MAPPING_EVENTS": text}).config

        assert config.mapping.events == {"trial_started": "StartTrial"}


def test_mistakes_stand_in_the_order_of_their_lines():
    lines = [mistake.split(": ")[0] for mistake in mistakes_of('[server]\nport = "x"\nprot = 1\n[sources]\nx = 1\n')]

    assert lines == sorted(lines)


def test_one_of_the_three_variables_alone_says_which_is_missing():
    assert ["environment: TIKTOK_ACCESS_TOKEN: is not set, while its companion is"] == mistakes_of(
        "", {"TIKTOK_PIXEL_CODE": "C0ABCDEFGH1234567890"}
    )[:1]


def test_a_token_file_is_read_from_the_folder_of_the_settings(tmp_path: Path):
    (tmp_path / "token").write_text("t0ken\n")
    (tmp_path / "tikrelay.toml").write_text(GOOD.replace('access_token = "t0ken"', 'access_token_file = "token"'))

    config = read_settings(str(tmp_path / "tikrelay.toml"), {}).config

    assert "t0ken" == config.destinations[0].access_token.reveal()


def test_a_file_that_is_not_there_is_a_mistake_when_it_was_named():
    with pytest.raises(ConfigError, match="there is no such file"):
        read_settings("/nonexistent/tikrelay.toml", {})


def test_no_mistake_shows_the_token():
    found = mistakes_of(GOOD.replace('"t0ken"', '"s3cret with spaces"'))

    assert "s3cret" not in "\n".join(found)


def test_the_variables_kubernetes_sets_for_a_service_of_our_name_are_no_mistakes():
    variables = {
        "TIKRELAY_SERVICE_HOST": "10.0.0.1",
        "TIKRELAY_SERVICE_PORT_HTTP": "80",
        "TIKRELAY_PORT": "tcp://10.0.0.1:80",
        "TIKRELAY_PORT_80_TCP_ADDR": "10.0.0.1",
    }

    assert parse_settings(GOOD, None, variables).config == parse_settings(GOOD, None, {}).config


# Rules, which stand several times and in each other.

BAD_RULES = (
    GOOD
    + """
hosts = ["https://shop.example"]
[[destinations.rules]]
destinations = ["nobody"]
remove = ["propertis.x"]

[[rules]]
evnts = "purchase"
when = 3
[rules.set]
"properties.value" = { a = 1 }

[[rules]]
events = "a*b"
when = { value = { at_least = "many" }, currency = { bigger = 3 } }
copy = { "properties.mail" = "user_data.email" }
drop = true
send_as = "Purchase"
"""
)


def test_every_mistake_of_every_rule_is_told_with_its_line():
    told = [mistake.splitlines()[0].removeprefix("/etc/tikrelay.toml:") for mistake in mistakes_of(BAD_RULES)]

    assert [
        "10: destinations[0].hosts",
        "12: destinations[0].rules[0].destinations",
        "13: destinations[0].rules[0].remove",
        "16: rules[0].evnts",
        "17: rules[0].when",
        "18: rules[0].set",
        "22: rules[1].events",
        "23: rules[1].when",
        "23: rules[1].when",
        "24: rules[1].copy",
        "25: rules[1].drop",
    ] == [": ".join(one.split(": ")[:2]) for one in told]


def test_rules_are_read_in_the_order_of_the_file():
    text = GOOD + '[[destinations.rules]]\nname = "c"\ndrop = true\n'
    text += "".join(f'[[rules]]\nname = "{name}"\ndrop = true\n' for name in "ab")

    config = parse_settings(text, None, {}).config
    assert (["a", "b"], ["c"]) == (
        [rule.name for rule in config.rules],
        [rule.name for rule in config.destinations[0].rules],
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[rules]\ndrop = true", "rules"),
        ("rules = 3", "rules"),
        (GOOD + "rules = 3", "destinations[0].rules"),
        (GOOD + "[destinations.rules]\ndrop = true", "destinations[0].rules"),
    ],
)
def test_rules_that_are_no_list_say_how_to_write_them(text: str, key: str):
    told = next(mistake for mistake in mistakes_of(text) if key in mistake)

    assert "must be written as [[" in told


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('[privacy]\ndenied_paths = ["/a*b"]', "is no pattern"),
        ('[privacy]\nlimited_data_use_regions = ["California"]', "is no place"),
        ('[privacy]\ndenied_paths = "/checkup"', 'must be a list: write ["/checkup"]'),
        ('[cookies]\nttclid_max_age = "0s"', "is no time a cookie can be kept"),
        ('[cookies]\nttp_max_age = "401d"', "is longer than browsers keep a cookie"),
        ("[cookies]\ngenerate_ttp = true\nhttp_only = true", "contradict each other"),
        ('[cookies]\ndomain = "co.uk"', "is no domain a browser keeps a cookie for"),
    ],
)
def test_a_list_or_a_cookie_that_cannot_work_is_named(setting: str, words: str):
    assert any(words in mistake for mistake in mistakes_of(setting + GOOD))


@pytest.mark.parametrize(
    ("wrong", "read"),
    [
        ("[send]\nmax_batch = 0", True),
        ('[[rules]]\ndrop = "maybe"', True),
        ("[server]\nadmin_prt = 9000", False),
        ("[servr]\nadmin_port = 9000", False),
        ('[outbox]\nurl = "redis:"', False),
        ("[send", False),
    ],
)
def test_a_server_is_looked_at_with_settings_whose_mistakes_cannot_mislead(wrong: str, read: bool):
    text = GOOD.replace("[server]\nport = 9000\n", wrong)

    def mistakes_of_what_is_read() -> int:
        try:
            return len(parse_settings(text, None, {}, to_look=True).mistakes)
        except ConfigError:
            return 0

    assert (1 if read else 0) == mistakes_of_what_is_read()
    assert len(mistakes_of(text)) == 1
