"""A command takes a hit as it is, or the name of a file that holds one; what is neither is refused."""

from pathlib import Path

import pytest

from tikrelay.app.hits.request import Request
from tikrelay.app.hits.text import MAX_INPUT_BYTES
from tikrelay.base.errors import InputRefused
from tikrelay.tools.hit_input import read_hits

URL = "https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2&en=page_view"


def test_a_file_is_read(tmp_path: Path):
    file = tmp_path / "a b.txt"
    file.write_text(URL, encoding="utf-8-sig")

    assert (Request(url=URL),) == read_hits(str(file)).requests


@pytest.mark.parametrize("given", ["nothing", "", " ", "Invoke-WebRequest -Uri x", "https://shop.example/", "\0"])
def test_what_cannot_be_read_is_told_with_what_can(given: str):
    with pytest.raises(InputRefused) as caught:
        read_hits(given)

    assert [] == [word for word in ("URL", "HAR", "curl", "fetch", "JSON", "stdin") if word not in caught.value.hint]


def test_a_refusal_shows_nobodys_address():
    with pytest.raises(InputRefused) as caught:
        read_hits("mail to ann@shop.example")

    assert "ann@" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputRefused, match="UTF-8"):
        read_hits(str(tmp_path / "x"))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path):
    file = tmp_path / "large.har"
    with file.open("wb") as opened:
        opened.truncate(MAX_INPUT_BYTES + 1)

    with pytest.raises(InputRefused, match="20 MB"):
        read_hits(str(file))
