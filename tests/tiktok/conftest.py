"""An end that answers as it is told, byte for byte."""

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import pytest

Script = Callable[["Line"], Awaitable[None]]


class Line:
    """One connection as the scripted end sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read_head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def read_request(self) -> tuple[bytes, bytes]:
        head = await self.read_head()
        length = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:"))
        return head, await self.reader.readexactly(length)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes, *, status: str = "200 OK", headers: str = "", length: int | None = None
    ) -> None:
        size = len(body) if length is None else length
        await self.write(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {size}\r\n\r\n".encode() + body)

    def reset(self) -> None:
        """Close with an RST, not a FIN."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class ScriptedEnd:
    """A server on a free port of this machine that plays one script on each connection."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._playing: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        await self._server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._play(Line(reader, writer)))
        self._playing.add(task)
        await asyncio.wait([task])

    async def _play(self, line: Line) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._script(line)
        line.writer.close()
        with contextlib.suppress(OSError):
            await line.writer.wait_closed()


@pytest.fixture
def scripted_end() -> type[ScriptedEnd]:
    return ScriptedEnd


CA = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make certificates that nobody vouches for, each in one file with its key."""

    def make(*, of: str = "IP:127.0.0.1", until: str = "20991231000000Z") -> Path:
        folder = tmp_path_factory.mktemp("tls")
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(CA.format(folder=folder))
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=tests", "-addext", f"subjectAltName={of}"),
            *("-keyout", folder / "both.pem", "-out", folder / "request.pem"),
        )
        _openssl(
            *("ca", "-selfsign", "-batch", "-config", folder / "ca.cnf", "-startdate", "20200101000000Z"),
            *("-enddate", until, "-notext", "-keyfile", folder / "both.pem"),
            *("-in", folder / "request.pem", "-out", folder / "certificate.pem"),
        )
        with (folder / "both.pem").open("ab") as file:
            file.write((folder / "certificate.pem").read_bytes())
        return folder / "both.pem"

    return make


def _openssl(*arguments: str | Path) -> None:
    try:
        subprocess.run(["openssl", *arguments], capture_output=True, check=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("openssl is not installed, so there is no certificate to refuse")


@pytest.fixture(scope="session")
def self_signed(certificate: Callable[..., Path]) -> Path:
    return certificate()
