"""What two programs may read differently is refused, and nothing that follows it is read as a request (S7, B1, B2)."""

import json
import socket

import pytest

from rawhttp import answers, connect, read_all, statuses, talk

SMUGGLED = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LAST = b"GET /g/collect?v=2&tid=G-1&cid=1.2&en=contact HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
DATA = b"POST /data HTTP/1.1\r\nHost: x\r\n"
CHUNKED = DATA + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthy HTTP/1.1\r\n"

REFUSED = {
    "both lengths": DATA + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, the other way": DATA + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": DATA + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    "one length twice": DATA + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of lengths": DATA + b"Content-Length: 5, 5\r\n\r\nabcde",
    "a length with a plus": DATA + b"Content-Length: +5\r\n\r\nabcde",
    "a length with a minus": DATA + b"Content-Length: -5\r\n\r\nabcde",
    "a length with a space": DATA + b"Content-Length: 5 5\r\n\r\nabcde",
    "a length with a line": DATA + b"Content-Length: 1_0\r\n\r\nabcde",
    "a length in hex": DATA + b"Content-Length: 0x5\r\n\r\nabcde",
    "no length in it": DATA + b"Content-Length: \r\n\r\nabcde",
    "a length beyond all": DATA + b"Content-Length: 99999999999999999999999\r\n\r\nabcde",
    "a chunk without a size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk's size with a plus": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "a chunk's size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk's size with a space": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "a space before a chunk's size": CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk beyond all": CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a chunk's size that ends with LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a chunk that ends with LF": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a chunk's extension with LF": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "a chunk's extension with a control": CHUNKED + b"3;a\x01b\r\nabc\r\n0\r\n\r\n",
    "a trailer": CHUNKED + b"3\r\nabc\r\n0\r\nX-Forwarded-For: 8.8.8.8\r\n\r\n",
    "a length as a trailer": CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a last chunk that ends with LF": CHUNKED + b"3\r\nabc\r\n0\r\n\n",
    "two encodings": DATA + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an encoding twice": DATA + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": DATA + b"Transfer-Encoding: identity\r\n\r\n",
    "almost chunked": DATA + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": DATA + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "chunked behind a control": DATA + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /data HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": GET + b"Host : x\r\n\r\n",
    "a folded header": GET + b"Host: x\r\nA: b\r\n c\r\n\r\n",
    "a folded header with a tab": GET + b"Host: x\r\nA: b\r\n\tc\r\n\r\n",
    "a fold at first": GET + b" Host: x\r\n\r\n",
    "lines that end with LF": b"GET /healthy HTTP/1.1\nHost: x\n\n",
    "a header that ends with LF": GET + b"Host: x\nA: b\r\n\r\n",
    "a head that ends with LF": GET + b"Host: x\r\n\n",
    "a CR in a value": GET + b"Host: x\r\nA: b\rc\r\n\r\n",
    "lines that end with CR": b"GET /healthy HTTP/1.1\rHost: x\r\r",
    "a NUL in a value": GET + b"Host: x\r\nA: b\x00c\r\n\r\n",
    "a control in a value": GET + b"Host: x\r\nA: b\x01c\r\n\r\n",
    "DEL in a value": GET + b"Host: x\r\nA: b\x7fc\r\n\r\n",
    "a NUL in a name": GET + b"Host: x\r\nA\x00: b\r\n\r\n",
    "a name with a space": GET + b"Host: x\r\nA b: c\r\n\r\n",
    "no name": GET + b"Host: x\r\n: b\r\n\r\n",
    "no colon": GET + b"Host: x\r\nAbc\r\n\r\n",
    "no Host": GET + b"\r\n",
    "two Hosts": GET + b"Host: x\r\nHost: x\r\n\r\n",
    "almost a length": DATA + b"Content_Length: 5\r\n\r\n",
    "almost a length beside one": DATA + b"Content_Length: 5\r\nContent-Length: 3\r\n\r\nabc",
    "almost an encoding": DATA + b"Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two Authorizations": DATA + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "a Host with a path": GET + b"Host: x/y\r\n\r\n",
    "a Host with a person": GET + b"Host: a@x\r\n\r\n",
    "HTTP/0.9": b"GET /healthy\r\n\r\n",
    "HTTP/0.9 by name": b"GET /healthy HTTP/0.9\r\n\r\n",
    "HTTP/2.0": b"GET /healthy HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET /healthy HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an answer": b"HTTP/1.1 200 OK\r\n\r\n",
    "an authority": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "another host in the target": b"GET http://y/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "a person in the target": b"GET http://a@x/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "another scheme in the target": b"GET ftp://x/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target cut short": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /healthy#a HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL in the target": b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "no ASCII in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space at first": b" GET /healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get /healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the line": b"GET\t/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
}  # fmt: skip

TAKEN_AS_LAST = {
    "an upgrade": b"GET /healthy HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "an upgrade with a body": DATA
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\n{}\n",
    "a request that closes": b"GET /healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": b"GET /healthy HTTP/1.0\r\n\r\n",
    "a body nobody reads": b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_what_can_be_read_in_two_ways_gets_one_400_and_nothing_behind_it_is_read(open_gateway, sent: bytes):
    (answer,) = answers(talk(open_gateway.port, sent + SMUGGLED, within_s=5))

    assert 400 == answer.status
    assert "close" == answer.headers["connection"]
    assert "bad_request" == json.loads(answer.body)["error"]["code"]


def test_the_admin_port_takes_no_two_authorizations(open_gateway):
    sent = GET + b"Host: 127.0.0.1\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"

    assert [400] == statuses(talk(open_gateway.admin_port, sent, within_s=5))


@pytest.mark.parametrize("sent", TAKEN_AS_LAST.values(), ids=TAKEN_AS_LAST)
def test_nothing_behind_the_last_request_of_a_connection_is_read(open_gateway, sent: bytes):
    (answer,) = answers(talk(open_gateway.port, sent + SMUGGLED, within_s=5))

    assert answer.status in {200, 404, 400}
    assert "close" == answer.headers["connection"]


def test_no_smuggled_event_was_counted(open_gateway):
    """After the tests above: nothing they sent behind a request became one."""
    talk(open_gateway.port, LAST)

    assert 'event="contact"' in open_gateway.metrics()
    assert 'event="smuggled"' not in open_gateway.metrics()


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_requests_before_a_bad_one_are_answered_first(open_gateway, sent: bytes):
    before = LAST.replace(b"Connection: close\r\n", b"")

    assert [204, 204, 400] == statuses(talk(open_gateway.port, before + before + sent + SMUGGLED, within_s=5))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET http://x/healthy HTTP/1.1\r\nHost: X\r\n\r\n",
        b"\r\n\r\nGET /healthy HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthy HTTP/1.1\r\nhOST:x\r\nA:\t b \t\r\n\r\n",
        b"GET /healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /healthy HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n3;a=b\r\nabc\r\n000\r\n\r\n",
        b"HEAD /readyz HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_odd_and_has_one_meaning_is_read(open_gateway, sent: bytes):
    raw = talk(open_gateway.port, sent + LAST, within_s=5)

    assert raw.startswith(b"HTTP/1.1 200 ")


def test_requests_that_come_in_one_piece_are_answered_in_order(open_gateway):
    odd, even = b"GET /healthy HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"

    assert [200, 404] * 2000 + [204] == statuses(talk(open_gateway.port, (odd + even) * 2000 + LAST))


def test_a_request_in_pieces_of_one_byte_is_read(open_gateway):
    assert [204] == statuses(talk(open_gateway.port, *(bytes([byte]) for byte in LAST)))


def test_events_in_chunks_of_one_byte_are_read(open_gateway):
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"event_name":"chunked"}') + b"0\r\n\r\n"
    (receipt, _) = answers(talk(open_gateway.port, CHUNKED + body + LAST))

    assert (200, "stored") == (receipt.status, json.loads(receipt.body)["events"][0]["outcome"])


def test_who_says_that_he_sends_no_more_still_gets_his_answers(open_gateway):
    with connect(open_gateway.port) as connection:
        connection.sendall(LAST.replace(b"Connection: close\r\n", b"") * 300)
        connection.shutdown(socket.SHUT_WR)
        raw = read_all(connection)

    assert [204] * 300 == statuses(raw)


@pytest.mark.parametrize("sent", [b"", b"GET /healthy HTTP/1.1\r\nHost:", CHUNKED + b"3\r\nab"])
def test_who_says_that_he_sends_no_more_in_the_middle_of_a_request_is_let_go(open_gateway, sent: bytes):
    with connect(open_gateway.port, within_s=1) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)

        assert b"" == connection.recv(100)
