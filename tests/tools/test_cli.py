"""The command line: help with an example for each command, exit codes, no traceback."""

import subprocess
import sys

import pytest

COMMANDS = ["serve", "demo", "sandbox", "explain", "test", "check", "status"]


def tikrelay(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tikrelay", *arguments], capture_output=True, check=False, text=True, timeout=30, **more
    )


def test_help_lists_every_command():
    listed = tikrelay("--help").stdout

    assert [command for command in COMMANDS if command not in listed] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_gives_an_example(command: str):
    assert f"Example: tikrelay {command}" in " ".join(tikrelay(command, "--help").stdout.split())


def test_the_version_is_the_package_s():
    from tikrelay import __version__

    assert tikrelay("--version").stdout.strip() == __version__


@pytest.mark.parametrize("arguments", [["no-such-command"], ["serve", "--no-such-option"], ["sandbox", "--port", "x"]])
def test_a_wrong_use_ends_with_64(arguments: list[str]):
    done = tikrelay(*arguments)

    assert done.returncode == 64
    assert "Traceback" not in done.stderr


def test_settings_that_cannot_be_used_end_with_78_and_every_mistake(tmp_path):
    config = tmp_path / "tikrelay.toml"
    config.write_text('[server]\nprot = 80\n[[destinations]]\nevent_source_id = "C0EXAMPLE0000000001"\n')

    done = tikrelay("serve", "--config", str(config))

    assert done.returncode == 78
    assert f"{config}:2: server.prot: is no setting" in done.stderr
    assert "did you mean port?" in done.stderr
    assert f"{config}:3: destinations[0].access_token: is missing" in done.stderr


def test_status_without_a_server_says_so(tmp_path):
    done = tikrelay("status", cwd=tmp_path, env={"TIKRELAY_SERVER_ADMIN_PORT": "1", "PATH": ""})

    assert done.returncode != 0
    assert "tikrelay serve" in done.stderr
