"""What the code, the lock, the package and the deployment promise, looked up in their files."""

import ast
import configparser
import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tikrelay.app.config import Config
from tikrelay.outbox.sqlite import OLDEST_SQLITE
from tikrelay.tools.reference import ROOT, sections
from tikrelay.tools.sbom import bill

SOURCES = sorted((ROOT / "src").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def _calls() -> Iterator[tuple[Path, str, ast.Call]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, ast.unparse(node.func), node


@functools.cache
def calls() -> list[tuple[Path, str, ast.Call]]:
    """Every call of the code, by its name as it is written."""
    return list(_calls())


def keywords(node: ast.Call) -> dict[str, str]:
    return {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}


# The code.


def test_nothing_is_evaluated_unpickled_or_given_to_a_shell():
    of_python = r"eval|exec|compile|__import__|(pickle|marshal|shelve|dill)\..*|.*\.load_module|yaml\.load"
    banned = re.compile(of_python + r"|os\.(system|popen|exec\w*|spawn\w*)|tempfile\.mktemp")
    found = [f"{path.name}: {name}" for path, name, _ in calls() if banned.fullmatch(name)]

    assert found == []
    assert [] == [path.name for path, _, node in calls() if keywords(node).get("shell", "False") != "False"]


def test_ruffs_rules_of_security_are_on_and_each_exception_names_its_reason():
    selected = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]["select"]
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES}

    assert "S" in selected
    assert [] == [path.name for path, text in texts.items() if re.search(r"# noqa: S\d+ *$", text, re.MULTILINE)
                  and path.name not in {"request.py", "stage.py", "admin_client.py"}]  # fmt: skip


def sql_of(node: ast.AST) -> list[str]:
    """What an f-string of SQL puts in; nothing of any other."""
    if not isinstance(node, ast.JoinedStr) or not isinstance(node.values[0], ast.Constant):
        return []
    if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|PRAGMA|WITH|CREATE|DROP) ", node.values[0].value):
        return []
    return [ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue)]


def test_no_statement_of_sql_is_put_together_from_what_comes_in():
    """What stands in an f-string of SQL is a constant of a module, written in capitals; all else is bound."""
    found = [(path.name, part) for path, tree in TREES.items() for node in ast.walk(tree) for part in sql_of(node)]

    assert found
    assert [] == [(name, part) for name, part in found if not re.fullmatch("_?[A-Z_]+", part)]


def test_no_answer_redirects_and_no_redirect_is_followed():
    assert [] == [path.name for path, name, _ in calls() if name.endswith(("RedirectResponse", "url_for"))]
    codes = [node.value for path, tree in TREES.items() if {"collect", "watch", "app"} & set(path.parts)
             for node in ast.walk(tree) if isinstance(node, ast.Constant)]  # fmt: skip
    assert [] == [code for code in codes if code in {301, 302, 303, 307, 308, b"location", "location"}]
    posts = [
        keywords(node)
        for path, name, node in calls()
        if name.endswith(("session.post", "session.get", "session.request"))
    ]
    assert len(posts) >= 2
    assert {"False"} == {told.get("allow_redirects") for told in posts}


def test_tls_cannot_be_switched_off():
    names = [setting.key for section in sections() for setting in section.settings]
    texts = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if "hits" not in path.parts)

    assert [] == [name for name in names if re.search("verify|insecure|ssl|tls", name)]
    assert [] == re.findall(
        r"_create_unverified_context|CERT_NONE|check_hostname *= *False|verify_ssl|ssl *= *False", texts
    )
    assert texts.count("create_default_context()") == texts.count("minimum_version = ssl.TLSVersion.TLSv1_2")


def test_a_secret_is_revealed_only_where_it_goes_out_or_is_compared():
    places = {
        path.relative_to(ROOT / "src" / "tikrelay").as_posix() for path, name, _ in calls() if name.endswith(".reveal")
    }
    text = {place: (ROOT / "src" / "tikrelay" / place).read_text(encoding="utf-8") for place in places}

    assert places <= {"tiktok/api.py", "watch/webhook.py", "watch/gate.py", "app/crew.py", "collect/http.py",
                      "tools/admin_client.py", "tools/reach.py", "app/checks.py"}  # fmt: skip
    assert "hmac.compare_digest" in text["collect/http.py"]
    assert "hmac.compare_digest" in text["watch/gate.py"]


def test_every_secret_of_the_settings_has_the_type_that_prints_as_stars():
    secret = re.compile(r"(^|_)(token|password|secret|key|webhook)$")
    structs = [
        type(getattr(Config(), name))
        for name in Config.__struct_fields__
        if hasattr(getattr(Config(), name), "__struct_fields__")
    ]
    fields = [
        (struct.__name__, name, getattr(struct(), name)) for struct in structs for name in struct.__struct_fields__
    ]
    named = [(struct, name, value) for struct, name, value in fields if secret.search(name)]

    assert len(named) >= 4
    assert [] == [(struct, name) for struct, name, value in named if type(value).__name__ != "Secret"]


# The lock.


def pinned(name: str) -> dict[str, tuple[int, ...]]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {found[0].lower(): tuple(int(part) for part in found[1].split(".") if part.isdigit())
            for found in re.findall(r"^([A-Za-z0-9._-]+)==([0-9.]+)", text, re.MULTILINE)}  # fmt: skip


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_every_package_of_a_lock_has_its_hashes_and_no_address_of_an_index(lock):
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    blocks = [block for block in re.split(r"\n(?=[a-z])", text) if re.match(r"[a-z]", block)]

    assert blocks
    assert [] == [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not re.search("https?://|--index|--extra", text)


def test_no_version_with_a_known_weakness_is_locked():
    # h11 before 0.16: CVE-2025-43859; Starlette before 0.49.1: CVE-2025-62727; SQLite before 3.51.3: its WAL reset.
    locked = pinned("runtime.txt")

    assert locked.get("h11", (0, 16)) >= (0, 16)
    assert locked["starlette"] >= (0, 49, 1)
    assert locked["apsw"] >= (3, 51, 3)
    assert OLDEST_SQLITE >= 3051003
    assert apsw.SQLITE_VERSION_NUMBER >= OLDEST_SQLITE


# The package.


@pytest.mark.faults
def test_two_builds_give_the_same_bytes(tmp_path: Path):
    digests = {hashlib.sha256(build(tmp_path / name).read_bytes()).hexdigest() for name in ("here", "there")}

    assert 1 == len(digests)


@pytest.mark.faults
def test_the_wheel_holds_every_file_of_the_sources(tmp_path: Path):
    """The console's templates and its own files among them, without which no page can be shown."""
    wheel = zipfile.ZipFile(build(tmp_path / "here"))
    sources = pristine(tmp_path)
    wanted = {path.relative_to(sources).as_posix() for path in sources.rglob("*") if path.is_file()}

    assert set() == wanted - set(wheel.namelist())
    assert {".html", ".css", ".js", ".svg", ".py"} <= {Path(name).suffix for name in wanted}


def build(folder: Path) -> Path:
    """Build the wheel from a copy of the files, without a network."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(pristine(folder.parent), folder / "src")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def pristine(folder: Path) -> Path:
    """The sources as they were at the first build: somebody may be editing them."""
    kept = folder / "pristine"
    if not kept.exists():
        shutil.copytree(ROOT / "src", kept, ignore=shutil.ignore_patterns("__pycache__"))
    return kept


def test_the_bill_of_materials_names_what_the_lock_does():
    told = json.loads(json.dumps(bill((ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8"))))

    assert sorted(pinned("runtime.txt")) == sorted(one["name"].lower() for one in told["components"])
    assert [] == [one["name"] for one in told["components"] if not one["hashes"]]
    assert ("CycloneDX", "1.6") == (told["bomFormat"], told["specVersion"])


# The deployment.


def test_the_container_runs_as_nobody_special_with_wheels_of_the_lock_alone():
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    last = text[text.rindex("\nFROM ") :]

    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "--require-hashes" in text
    assert "--only-binary :all:" in text
    assert {"--read-only", "--cap-drop ALL", "--security-opt no-new-privileges"} == set(
        re.findall(r"--read-only|--cap-drop ALL|--security-opt no-new-privileges", text)
    )
    assert not re.search(r"^(ADD|RUN .*(curl|wget)|.*(TOKEN|SECRET|PASSWORD)=)", text, re.MULTILINE)


def unit() -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    parser.optionxform = str
    parser.read(ROOT / "deploy" / "systemd" / "tikrelay.service")
    return dict(parser["Service"])


def test_the_unit_takes_from_the_service_what_it_does_not_need():
    told = unit()

    assert {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "UMask": "0077",
    }.items() <= told.items()
    assert told["User"] != "root"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_gives_the_unit_a_low_score():
    command = ["systemd-analyze", "security", "--offline=true", str(ROOT / "deploy" / "systemd" / "tikrelay.service")]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    score = re.search(r"exposure level for \S+: ([0-9.]+)", told)

    assert score
    assert float(score[1]) <= 2.0


def test_a_weakness_can_be_reported_and_is_answered_within_ninety_days():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

    assert "Report a vulnerability" in text
    assert "90 days" in text
