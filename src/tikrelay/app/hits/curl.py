r"""Which request a curl command stands for, as browsers copy it and people write it. Nothing is ever run.

Two shells are read: what bash quotes (``'...'``, ``"..."``, ``$'...'``, a backslash at a line end), and what cmd.exe of
Windows escapes with ``^``. Variables, ``$(...)`` and files named with ``@`` stay unread.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import msgspec

from tikrelay.app.hits.request import Request
from tikrelay.base.errors import InputRefused

_CURL: Final = re.compile(r"(?:[^\s]*[/\\])?curl(?:\.exe)?", re.IGNORECASE)
_BEGINS: Final = re.compile(r"(?:\$ |> )?\s*(?:[^\s'\"]*[/\\])?curl(?:\.exe)?\s", re.IGNORECASE)
_OF_CMD: Final = re.compile(r"\^[\"\r\n%&]")
_FORM: Final = "application/x-www-form-urlencoded"  # what curl says of -d
_UNENCODED: Final = "-._~"

# Options that take a value which is of no use here, by their letter and their name (curl 7.88, curl --help all; and
# those added since). What is not listed takes none.
_SKIPPED_LETTERS: Final = frozenset("cCDEhKmoPQrtTuUwxYyz")
_SKIPPED_NAMES: Final = frozenset(
    [
        "abstract-unix-socket",
        "alt-svc",
        "aws-sigv4",
        "cacert",
        "capath",
        "cert",
        "cert-type",
        "ciphers",
        "config",
        "connect-timeout",
        "connect-to",
        "continue-at",
        "cookie-jar",
        "create-file-mode",
        "crlfile",
        "curves",
        "delegation",
        "dns-interface",
        "dns-ipv4-addr",
        "dns-ipv6-addr",
        "dns-servers",
        "doh-url",
        "dump-header",
        "ech",
        "egd-file",
        "engine",
        "etag-compare",
        "etag-save",
        "expect100-timeout",
        "form",
        "form-string",
        "ftp-account",
        "ftp-alternative-to-user",
        "ftp-method",
        "ftp-port",
        "ftp-ssl-ccc-mode",
        "happy-eyeballs-timeout-ms",
        "haproxy-clientip",
        "hostpubmd5",
        "hostpubsha256",
        "hsts",
        "interface",
        "ip-tos",
        "ipfs-gateway",
        "keepalive-cnt",
        "keepalive-time",
        "key",
        "key-type",
        "krb",
        "libcurl",
        "limit-rate",
        "local-port",
        "login-options",
        "mail-auth",
        "mail-from",
        "mail-rcpt",
        "max-filesize",
        "max-redirs",
        "max-time",
        "netrc-file",
        "noproxy",
        "oauth2-bearer",
        "output",
        "output-dir",
        "parallel-max",
        "pass",
        "pinnedpubkey",
        "preproxy",
        "proto",
        "proto-default",
        "proto-redir",
        "proxy",
        "proxy-cacert",
        "proxy-capath",
        "proxy-cert",
        "proxy-cert-type",
        "proxy-ciphers",
        "proxy-crlfile",
        "proxy-header",
        "proxy-key",
        "proxy-key-type",
        "proxy-pass",
        "proxy-pinnedpubkey",
        "proxy-service-name",
        "proxy-tls13-ciphers",
        "proxy-tlsauthtype",
        "proxy-tlspassword",
        "proxy-tlsuser",
        "proxy-user",
        "proxy1.0",
        "pubkey",
        "quote",
        "random-file",
        "range",
        "rate",
        "request-target",
        "resolve",
        "retry",
        "retry-delay",
        "retry-max-time",
        "sasl-authzid",
        "service-name",
        "socks4",
        "socks4a",
        "socks5",
        "socks5-gssapi-service",
        "socks5-hostname",
        "speed-limit",
        "speed-time",
        "stderr",
        "telnet-option",
        "tftp-blksize",
        "time-cond",
        "tls-max",
        "tls13-ciphers",
        "tlsauthtype",
        "tlspassword",
        "tlsuser",
        "trace",
        "trace-ascii",
        "trace-config",
        "unix-socket",
        "upload-file",
        "user",
        "variable",
        "vlan-priority",
        "write-out",
    ]
)
_NAME_OF_LETTER: Final = {
    "A": "user-agent", "b": "cookie", "d": "data", "e": "referer", "F": "form", "G": "get", "H": "header", "I": "head",
    "X": "request", ":": "next",
}  # fmt: skip
_TAKES_VALUE: Final = frozenset({
    "user-agent", "cookie", "data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "form", "form-string",
    "json", "referer", "header", "request", "url", "url-query",
})  # fmt: skip
_DATA: Final = ("data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json")


def is_curl(text: str) -> bool:
    """Say whether a text begins as a curl command does.

    >>> is_curl("curl 'https://gw'"), is_curl("$ curl -s x"), is_curl("curly")
    (True, True, False)
    """
    return _BEGINS.match(text.lstrip()) is not None


def read_curl(text: str) -> list[Request]:
    """Read each curl command of a text. Raises InputRefused when one cannot be read."""
    words = _of_cmd(text) if _is_cmd(text) else _of_bash(text)
    requests: list[Request] = []
    for command in _commands(words):
        if command and _CURL.fullmatch(command[0]):
            requests += _requests(command[1:])
    return requests


# Words.

_END: Final = None  # between two commands
_ANSI: Final = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v",
}  # fmt: skip
_CONTINUED: Final = re.compile(r"\\\r?\n")
_PLAIN: Final = re.compile(r"[^\s;&|\\'\"$]+")
_NUMBERED: Final = re.compile(r"x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}")


def _commands(words: Iterator[str | None]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if word is None:
            yield command
            command = []
        elif command or word not in {"$", ">"}:  # a prompt that was copied too
            command.append(word)
    yield command


def _is_cmd(text: str) -> bool:
    first = re.search(r"['\"]", text)
    return _OF_CMD.search(text) is not None and (first is None or first[0] == '"')


def _of_bash(text: str) -> Iterator[str | None]:
    r"""Split as bash does, without doing what it would do.

    >>> list(_of_bash("curl 'a b' $'it\\'s \\u0021' \\\n \"x\\\"y\"; curl z"))
    ['curl', 'a b', "it's !", 'x"y', None, 'curl', 'z']
    """
    at = 0
    word: list[str] | None = None
    while at < len(text):
        sign = text[at]
        if sign.isspace() or sign in ";&|" or (sign == "#" and word is None):
            if word is not None:
                yield "".join(word)
                word = None
            if sign == "#":
                at = _until(text, "\n", at)
            if not sign.isspace() or sign == "\n":
                yield _END
            at += 1
            continue
        if continued := _CONTINUED.match(text, at):
            at = continued.end()
            continue
        part, at = _part(text, at)
        word = [] if word is None else word
        word.append(part)
    if word is not None:
        yield "".join(word)


def _part(text: str, at: int) -> tuple[str, int]:
    """Read a quoted part of a word, or what stands up to the next sign that means something."""
    sign, following = text[at], text[at + 1 : at + 2]
    if sign == "\\":
        return following, at + 2
    if sign == "'":
        close = text.find("'", at + 1)
        if close < 0:
            raise _unclosed("'")
        return text[at + 1 : close], close + 1
    if sign == "$" and following == "'":
        return _ansi(text, at + 2)
    if sign == '"':
        return _double(text, at + 1)
    plain = _PLAIN.match(text, at + 1)
    end = at + 1 if plain is None else plain.end()
    return text[at:end], end


def _until(text: str, sign: str, at: int) -> int:
    found = text.find(sign, at)
    return len(text) if found < 0 else found


def _double(text: str, at: int) -> tuple[str, int]:
    found: list[str] = []
    while at < len(text):
        sign = text[at]
        if sign == '"':
            return "".join(found), at + 1
        if sign == "\\" and (escaped := text[at + 1 : at + 2]) in {'"', "\\", "$", "`", "\n"}:
            found.append("" if escaped == "\n" else escaped)
            at += 2
        else:
            found.append(sign)
            at += 1
    raise _unclosed('"')


def _ansi(text: str, at: int) -> tuple[str, int]:
    r"""Read what stands in ``$'...'``, up to the quote that ends it."""
    found: list[str] = []
    while at < len(text):
        sign = text[at]
        if sign == "'":
            return "".join(found), at + 1
        if sign != "\\":
            found.append(sign)
            at += 1
        elif numbered := _NUMBERED.match(text, at + 1):
            found.append(_sign_of(numbered[0]))
            at = numbered.end()
        else:
            escaped = text[at + 1 : at + 2]
            found.append(_ANSI.get(escaped, escaped if escaped in "\\'\"?" else "\\" + escaped))
            at += 2
    raise _unclosed("$'")


def _sign_of(escape: str) -> str:
    number = int(escape[1:], 16) if escape[0] in "xuU" else int(escape, 8)
    return chr(number) if number <= 0x10FFFF else "\ufffd"


def _of_cmd(text: str) -> Iterator[str | None]:
    r"""Split as cmd.exe and a program's start on Windows do, for what browsers write there.

    Browsers differ in what they escape: ``^`` stands before any sign, also inside quotes; a quote in a value is
    ``\"``, ``^\^"`` or ``""``; a percent sign ``^%^``, ``"%"`` or itself.

    >>> list(_of_cmd('curl ^"https://gw/?a=1^&b=^%^20^" ^\n -H ^"x: ^\\^"1^\\^"^" & curl "a"^%"b"'))
    ['curl', 'https://gw/?a=1&b=%20', '-H', 'x: "1"', None, 'curl', 'a%b']
    """
    plain, escaped = _without_carets(text)
    word: list[str] | None = None
    at, quoted = 0, False
    while at < len(plain):
        sign, following = plain[at], plain[at + 1 : at + 2]
        is_pair = (sign == "\\" and following in {'"', "\\"}) or (quoted and sign == following == '"')
        if is_pair and following:
            word = [] if word is None else word
            word.append(following)
            at += 2
            continue
        at += 1
        if sign == '"':
            quoted = not quoted
            word = [] if word is None else word
        elif quoted or (at - 1) in escaped or not (sign.isspace() or sign == "&"):
            word = [] if word is None else word
            word.append(sign)
        else:
            if word is not None:
                yield "".join(word)
                word = None
            if sign in "&\n":
                yield _END
    if quoted:
        raise _unclosed('"')
    if word is not None:
        yield "".join(word)


def _without_carets(text: str) -> tuple[str, set[int]]:
    """Take the carets away; say of which blanks and ampersands one stood before."""
    found: list[str] = []
    escaped: set[int] = set()
    signs = text.replace("\r\n", "\n")
    at = 0
    while at < len(signs):
        if signs[at] != "^":
            found.append(signs[at])
            at += 1
        elif signs[at + 1 : at + 2] == "\n":  # the line goes on; an empty line then stands for a line's end
            if signs[at + 2 : at + 3] == "\n":
                escaped.add(len(found))
                found.append("\n")
                at += 1
            at += 2
        elif signs[at - 1 : at] == "%" and signs[at - 2 : at - 1] == "^":
            at += 1  # ^%^20: the second only parts the sign from what could be a variable's name
        else:
            if (sign := signs[at + 1 : at + 2]).isspace() or sign == "&":
                escaped.add(len(found))
            found.append(sign)
            at += 2
    return "".join(found), escaped


def _unclosed(sign: str) -> InputRefused:
    return InputRefused(
        400, "bad_curl", f"the curl command has a {sign} without its end", hint="copy the whole command again"
    )


# Options.


class _Call(msgspec.Struct):
    """What the options read so far say."""

    urls: list[str] = []
    headers: dict[str, str] = {}
    data: list[str] = []
    query: list[str] = []
    method: str = ""
    is_get: bool = False


def _requests(arguments: list[str]) -> list[Request]:
    """Make the requests of one command; ``--next`` begins another."""
    calls = [_Call()]
    words = iter(arguments)
    for word in words:
        for name, value in _options(word, words):
            if name == "next":
                calls.append(_Call())
            else:
                _apply(calls[-1], name, value)
    return [_request(call, url) for call in calls for url in call.urls]


def _options(word: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Read the option or options of a word, each with its value; what is none is an address."""
    if word.startswith("--") and len(word) > 2:
        name, equals, joined = word[2:].partition("=")
        if name in _SKIPPED_NAMES or name in _TAKES_VALUE:
            yield name, joined if equals else _value(name, rest)
        else:
            yield name, ""
        return
    if not word.startswith("-") or len(word) < 2:
        yield "url", word
        return
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _NAME_OF_LETTER.get(letter, "")
        if name in _TAKES_VALUE or letter in _SKIPPED_LETTERS:
            yield name, letters or _value(word, rest)
            return
        yield name, ""


def _value(option: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        hint = "copy the whole command again"
        raise InputRefused(400, "bad_curl", f"the curl command ends after {option[:40]}", hint=hint)
    return value


def _apply(call: _Call, name: str, value: str) -> None:
    match name:
        case "url":
            call.urls.append(value)
        case "request":
            call.method = value.upper()
        case "head":
            call.method = call.method or "HEAD"
        case "get":
            call.is_get = True
        case "header":
            _add_header(call.headers, value)
        case "user-agent":
            call.headers["user-agent"] = value
        case "referer":
            call.headers["referer"] = value.removesuffix(";auto")
        case "cookie":
            if "=" in value:  # else it is a file's name
                given = call.headers.get("cookie")
                call.headers["cookie"] = f"{given}; {value}" if given else value
        case "url-query":
            call.query.append(_encoded(value))
        case "form" | "form-string":
            raise InputRefused(400, "bad_curl", "the curl command sends a multipart form", hint="hits are never one")
        case _ if name in _DATA:
            _add_data(call, name, value)
        case _:
            pass


def _add_header(headers: dict[str, str], line: str) -> None:
    name, colon, value = line.partition(":")
    if colon:
        headers[name.strip().lower()] = value.strip()
    elif line.endswith(";"):
        headers[line[:-1].strip().lower()] = ""


def _add_data(call: _Call, name: str, value: str) -> None:
    if name == "json":
        call.headers.setdefault("content-type", "application/json")
    if name == "data-urlencode":
        value = _encoded(value)
    elif name != "data-raw" and value.startswith("@"):
        raise _in_a_file(value)
    call.data.append(value)


def _encoded(value: str) -> str:
    """Encode as --data-urlencode does: all of it, or what comes after a name."""
    name, equals, text = value.partition("=")
    if not equals:
        if "@" in value:
            raise _in_a_file(value)
        return quote(value, safe=_UNENCODED)
    return f"{name}={quote(text, safe=_UNENCODED)}" if name else quote(text, safe=_UNENCODED)


def _in_a_file(value: str) -> InputRefused:
    file = value.rpartition("@")[2][:60]
    return InputRefused(
        400, "bad_curl", f"the curl command sends the file {file!r}, which is not read", hint="give it with --body"
    )


def _request(call: _Call, url: str) -> Request:
    sent = "&".join(call.data)
    query = [*call.query, *([sent] if call.is_get and sent else [])]
    if query:
        _, mark, given = url.partition("?")
        url += ("&" if given else "" if mark else "?") + "&".join(query)
    headers = {name: value for name, value in call.headers.items() if value}
    has_body = bool(call.data) and not call.is_get
    if has_body and "content-type" not in call.headers:
        headers["content-type"] = _FORM
    method = call.method or ("POST" if has_body else "GET")
    return Request(method=method, url=url, headers=headers, body=sent if has_body else "")
