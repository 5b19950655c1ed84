"""The one call against an end that misbehaves: bounded in time, never raising, the token going nowhere else."""

import asyncio
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
import zlib

import pytest

from tikrelay.base.secret import Secret
from tikrelay.tiktok.answers import Pause, Retry, judge
from tikrelay.tiktok.api import MAX_ANSWER_BYTES, TikTokApi
from tikrelay.tiktok.config import TikTokConfig
from tikrelay.tiktok.payload import Envelope

CANARY = "canary-token-0123456789"
HEAD = Envelope(event_source="web", event_source_id="C0DEMO")
OK = b'{"code":0,"message":"OK","request_id":"R1","data":{}}'
LARGE = [b'{"event":"' + b"x" * 1_000_000 + b'"}'] * 20  # more than the kernel's buffers hold


async def call(url, *, events=(b'{"event":"Lead"}',), timeout_s=0.4, connect_timeout_s=0.3, token=CANARY):
    config = TikTokConfig(base_url=url, timeout_s=timeout_s, connect_timeout_s=connect_timeout_s)
    async with TikTokApi(config) as api:
        return await api.call(HEAD, token=Secret(token), events=list(events))


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# What goes out.


async def test_a_call_is_one_post_with_the_token_in_one_header_alone(scripted_end):
    seen = []

    async def script(line):
        seen.append(await line.read_request())
        await line.answer(OK)

    async with scripted_end(script) as end:
        answer = await call(end.url)
    head, body = seen[0]

    assert (answer.status, answer.code, answer.request_id, answer.failure) == (200, 0, "R1", "")
    assert head.startswith(b"POST /open_api/v1.3/event/track/ HTTP/1.1\r\n")
    assert [b"Access-Token: " + CANARY.encode()] == [h for h in head.split(b"\r\n") if CANARY.encode() in h]
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert body == b'{"event_source":"web","event_source_id":"C0DEMO","data":[{"event":"Lead"}]}'


async def test_cookies_of_the_answer_are_not_kept(scripted_end):
    heads = []

    async def script(line):
        for _ in range(2):
            heads.append((await line.read_request())[0])
            await line.answer(OK, headers="Set-Cookie: a=b; Path=/\r\n")

    async with scripted_end(script) as end, TikTokApi(TikTokConfig(base_url=end.url)) as api:
        for _ in range(2):
            await api.call(HEAD, token=Secret(CANARY), events=[b"{}"])

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


async def test_a_second_call_uses_the_first_ones_connection(scripted_end):
    async def script(line):
        while True:
            await line.read_request()
            await line.answer(OK)

    async with scripted_end(script) as end, TikTokApi(TikTokConfig(base_url=end.url)) as api:
        answers = [await api.call(HEAD, token=Secret(CANARY), events=[b"{}"]) for _ in range(3)]

    assert [answer.code for answer in answers] == [0, 0, 0]
    assert end.connections == 1


async def test_proxies_of_the_environment_are_not_used(scripted_end, monkeypatch):
    async def script(line):
        await line.read_request()
        await line.answer(OK)

    async with scripted_end(script) as proxy, scripted_end(script) as end:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        answer = await call(end.url)

    assert answer.code == 0
    assert proxy.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_other_host_hears_nothing(scripted_end, status):
    async def never(line):
        await line.read_head()

    async with scripted_end(never) as other:

        async def script(line):
            await line.read_request()
            await line.answer(b"", status=f"{status} Moved", headers=f"Location: {other.url}/\r\n")

        async with scripted_end(script) as end:
            answer = await call(end.url)

    assert Pause(f"http_{status}") == judge(answer)
    assert other.connections == 0


async def test_a_token_that_cannot_stand_in_a_header_is_not_sent_and_not_shown(scripted_end):
    async def script(line):
        await line.read_request()
        await line.answer(OK)

    async with scripted_end(script) as end:
        answer = await call(end.url, token=CANARY + "\r\nX-Injected: 1")

    assert answer.failure == "not_sent"
    assert CANARY not in repr(answer)


QUOTING = "canary/token+0123=456789 %"
ENCODED = ["canary%2Ftoken%2B0123%3D456789+%25", "canary/token%2b0123=456789%20%25", "CANARY/TOKEN+0123=456789 %"]


@pytest.mark.parametrize("quoted", [QUOTING, *ENCODED])
@pytest.mark.parametrize("form", ['{"code":40105,"message":"bad: %s!","request_id":"R %s"}', "<html>bad: %s!</html>"])
async def test_a_token_that_the_other_end_quotes_is_starred(scripted_end, form, quoted):
    async def script(line):
        await line.read_request()
        await line.answer(form.replace("%s", quoted).encode())

    async with scripted_end(script) as end:
        answer = await call(end.url, token=QUOTING)

    assert "bad: ***!" in answer.message
    assert answer.request_id in {"R ***", ""}


@pytest.mark.parametrize("before", [150, 190, 199, 290, 1190])
@pytest.mark.parametrize("form", ['{"code":40105,"message":"%s","request_id":"%s"}', "%s"])
async def test_no_piece_of_a_quoted_token_is_left_where_a_message_is_cut(scripted_end, form, before):
    async def script(line):
        await line.read_request()
        await line.answer(form.replace("%s", "." * before + CANARY).encode())

    async with scripted_end(script) as end:
        answer = await call(end.url)

    assert "canary" not in answer.message + answer.request_id


# What does not come back.


async def hang_before_reading(line):
    await asyncio.sleep(60)


async def hang_after_reading(line):
    await line.read_request()
    await asyncio.sleep(60)


async def hang_inside_the_head(line):
    await line.read_request()
    await line.write(b"HTTP/1.1 200 OK\r\nContent-")
    await asyncio.sleep(60)


async def hang_inside_the_body(line):
    await line.read_request()
    await line.answer(OK[:10], length=len(OK))
    await asyncio.sleep(60)


async def drip_the_body(line):
    await line.read_request()
    await line.answer(b"", length=len(OK))
    for byte in OK:
        await line.write(bytes([byte]))
        await asyncio.sleep(0.5)


async def drip_the_head(line):
    await line.read_request()
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
        await line.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def reset_before_reading(line):
    line.reset()


async def reset_after_the_head(line):
    await line.read_head()
    line.reset()


async def reset_after_reading(line):
    await line.read_request()
    line.reset()


async def close_after_reading(line):
    await line.read_request()


async def cut_off_short(line):
    await line.read_request()
    await line.answer(OK[:20], length=len(OK))


async def speak_no_http(line):
    await line.read_request()
    await line.write(b"220 mail.example ESMTP\r\n" * 3)


async def send_endless_headers(line):
    await line.read_request()
    await line.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        await line.write(b"X-%d: %s\r\n" % (number, b"y" * 1000))


@pytest.mark.parametrize(
    "script",
    [
        hang_after_reading,
        hang_inside_the_head,
        hang_inside_the_body,
        drip_the_body,
        drip_the_head,
        reset_after_reading,
        close_after_reading,
        cut_off_short,
        speak_no_http,
        send_endless_headers,
    ],
)
async def test_what_breaks_off_after_the_body_went_out_is_lost_within_the_time(scripted_end, script):
    async with scripted_end(script) as end:
        began = time.monotonic()
        answer = await call(end.url)

    assert answer.failure == "lost"
    assert answer.code is None
    assert time.monotonic() - began < 20  # each script would go on for longer
    assert Retry(unknown=True) == judge(answer)


@pytest.mark.parametrize("script", [hang_before_reading, reset_before_reading, reset_after_the_head])
async def test_what_breaks_off_while_the_body_goes_out_is_lost_too(scripted_end, script):
    async with scripted_end(script) as end:
        answer = await call(end.url, events=LARGE)

    assert answer.failure == "lost"


async def test_a_refused_connection_was_surely_not_sent():
    answer = await call(f"http://127.0.0.1:{closed_port()}")

    assert answer.failure == "not_sent"
    assert Retry() == judge(answer)


async def test_a_name_that_does_not_resolve_was_surely_not_sent():
    answer = await call("http://nowhere.invalid", timeout_s=5, connect_timeout_s=5)

    assert answer.failure == "not_sent"


async def test_a_name_server_that_does_not_answer_is_given_up_after_connect_timeout_s(monkeypatch):
    given_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: given_up.wait(30))
    answer = await call("http://slow.example", timeout_s=60, connect_timeout_s=0.2)
    given_up.set()

    assert answer.failure == "not_sent"
    assert answer.seconds < 20


async def test_a_connection_nobody_takes_is_given_up_after_connect_timeout_s():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        answer = await call(f"http://127.0.0.1:{port}", timeout_s=30, connect_timeout_s=0.2)
        for sock in waiting:
            sock.close()

    assert answer.failure == "not_sent"
    assert answer.seconds < 20


async def test_a_kept_connection_that_was_closed_meanwhile_costs_at_most_a_repeat(scripted_end):
    async def script(line):
        await line.read_request()
        await line.answer(OK)

    async with scripted_end(script) as end, TikTokApi(TikTokConfig(base_url=end.url)) as api:
        answers = [await api.call(HEAD, token=Secret(CANARY), events=[b"{}"])]
        await asyncio.sleep(0.05)
        answers.append(await api.call(HEAD, token=Secret(CANARY), events=[b"{}"]))

    assert answers[0].code == 0
    assert answers[1].code == 0 or answers[1].failure == "lost"


# What comes back and cannot be read.


def bomb():
    deflate = zlib.compressobj(9, wbits=31)
    zeros = bytes(1024 * 1024)
    return b"".join([deflate.compress(zeros) for _ in range(100)]) + deflate.flush()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Encoding: gzip\r\n", bomb()),
        ("Content-Encoding: gzip\r\n", gzip.compress(OK)[:-12]),
        ("Content-Encoding: gzip\r\n", gzip.compress(OK)[:-8] + b"\0" * 8),
        ("Content-Encoding: gzip\r\n", OK),
        ("Content-Encoding: br\r\n", b"\x0b\x02\x80"),
        ("", gzip.compress(OK)),
        ("", b"<html><body>Bad Gateway</body></html>"),
        ("Content-Type: text/html\r\n", b"[]"),
        ("", b""),
    ],
    ids=["bomb", "short gzip", "wrong checksum", "no gzip", "brotli", "unasked gzip", "html", "list", "empty"],
)
async def test_an_answer_that_cannot_be_read_is_no_acceptance(scripted_end, headers, body):
    async def script(line):
        await line.read_request()
        await line.answer(body, headers=headers)

    async with scripted_end(script) as end:
        answer = await call(end.url, timeout_s=2)

    assert (answer.status, answer.code, answer.failure) == (200, None, "")
    assert Retry(unknown=True) == judge(answer)


async def test_an_answer_of_100_megabytes_is_cut_at_one(scripted_end):
    sent = 0

    async def script(line):
        nonlocal sent
        await line.read_request()
        await line.answer(b"", length=100_000_000)
        for _ in range(1000):
            await line.write(b" " * 100_000)
            sent += 100_000

    async with scripted_end(script) as end:
        answer = await call(end.url, timeout_s=5)

    assert answer.code is None
    assert sent < 20 * MAX_ANSWER_BYTES


async def test_a_gzip_bomb_is_not_inflated_beyond_what_is_kept(scripted_end):
    packed = bomb()

    async def script(line):
        await line.read_request()
        await line.answer(packed, headers="Content-Encoding: gzip\r\n")

    async with scripted_end(script) as end:
        tracemalloc.start()
        try:
            await call(end.url, timeout_s=5)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 10 * MAX_ANSWER_BYTES


async def test_a_gzipped_answer_is_read(scripted_end):
    async def script(line):
        head, _ = await line.read_request()
        assert b"Accept-Encoding: gzip\r\n" in head
        await line.answer(gzip.compress(OK), headers="Content-Encoding: gzip\r\n")

    async with scripted_end(script) as end:
        answer = await call(end.url)

    assert answer.code == 0


async def test_a_chunked_answer_is_read(scripted_end):
    async def script(line):
        await line.read_request()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (OK[:7], OK[7:]))
        await line.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    async with scripted_end(script) as end:
        answer = await call(end.url)

    assert answer.code == 0


async def test_what_follows_the_stated_length_does_not_become_the_next_answer(scripted_end):
    async def script(line):
        await line.read_request()
        await line.answer(
            b'{"code":40105}' + b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b'{"code":0}', length=14
        )
        await line.read_request()
        await line.answer(b'{"code":40002}')

    async with scripted_end(script) as end, TikTokApi(TikTokConfig(base_url=end.url, timeout_s=0.4)) as api:
        codes = [(await api.call(HEAD, token=Secret(CANARY), events=[b"{}"])).code for _ in range(2)]

    assert 0 not in codes


async def test_an_answer_that_nobody_asked_for_does_not_become_the_next_ones(scripted_end):
    said = asyncio.Event()

    async def script(line):
        await line.read_request()
        await line.answer(b'{"code":40105}')
        await asyncio.sleep(0.05)  # the connection rests by now
        await line.answer(OK)
        said.set()
        await asyncio.sleep(60)

    async with scripted_end(script) as end, TikTokApi(TikTokConfig(base_url=end.url, timeout_s=0.4)) as api:
        first = await api.call(HEAD, token=Secret(CANARY), events=[b"{}"])
        await said.wait()
        await asyncio.sleep(0.05)
        second = await api.call(HEAD, token=Secret(CANARY), events=[b"{}"])

    assert first.code == 40105
    assert (None, "not_sent") == (second.code, second.failure)


@pytest.mark.parametrize("value", ["0", "17", "1e3", "-5", "٣", "9" * 30, "soon", "Wed, 21 Oct 2099 07:28:00 GMT", ""])
async def test_retry_after_of_any_form_is_read_or_left(scripted_end, value):
    async def script(line):
        await line.read_request()
        await line.write(f"HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode())

    async with scripted_end(script) as end:
        answer = await call(end.url)
    expected = {"0": 0.0, "17": 17.0, "Wed, 21 Oct 2099 07:28:00 GMT": 3600.0}

    assert expected.get(value) == answer.retry_after_s
    assert (answer.status, answer.failure) == (503, "")


async def test_a_proxys_demand_for_a_login_pauses(scripted_end):
    async def script(line):
        await line.read_request()
        await line.answer(b"", status="407 Proxy Authentication Required", headers="Proxy-Authenticate: Basic\r\n")

    async with scripted_end(script) as end:
        answer = await call(end.url)

    assert Pause("http_407") == judge(answer)


# TLS.


async def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(scripted_end, self_signed):
    heard = []

    async def script(line):
        heard.append(await line.reader.read(100))

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed)
    async with scripted_end(script, tls=tls) as end:
        answer = await call(end.url, timeout_s=3, connect_timeout_s=3)

    assert answer.failure == "not_sent"
    assert "certificate" in answer.message.lower()
    assert b"".join(heard) == b""


async def test_tls_before_1_2_is_refused_even_with_a_trusted_certificate(scripted_end, self_signed, monkeypatch):
    async def script(line):
        await line.read_request()
        await line.answer(OK)

    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(self_signed)
    monkeypatch.setenv("SSL_CERT_FILE", str(self_signed))
    async with scripted_end(script, tls=old) as end:
        taken = await call(end.url, timeout_s=3, connect_timeout_s=3)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with scripted_end(script, tls=old) as end:
        refused = await call(end.url, timeout_s=3, connect_timeout_s=3)

    assert taken.code == 0
    assert refused.failure == "not_sent"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"of": "DNS:elsewhere.example"}, "address mismatch"), ({"until": "20200102000000Z"}, "expired")],
)
async def test_a_trusted_certificate_of_another_host_or_time_is_refused(
    scripted_end, certificate, monkeypatch, wrong, words
):
    heard = []

    async def script(line):
        heard.append(await line.reader.read(100))

    path = certificate(**wrong)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    async with scripted_end(script, tls=tls) as end:
        answer = await call(end.url, timeout_s=3, connect_timeout_s=3)

    assert answer.failure == "not_sent"
    assert words in answer.message
    assert b"".join(heard) == b""


async def test_an_end_that_hangs_in_the_tls_handshake_is_given_up_after_connect_timeout_s(scripted_end):
    async with scripted_end(hang_before_reading) as end:
        answer = await call(f"https://127.0.0.1:{end.port}", timeout_s=60, connect_timeout_s=0.2)

    assert answer.failure == "not_sent"
    assert answer.seconds < 20
