"""``tikrelay forget``: what can be tied to one person is erased from the outbox.

The outbox holds hashes only, so what is typed here is cleaned and hashed as the mapping would have done it, under each
setting that it may have had, and only the hashes are looked for.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from tikrelay.base.errors import EXIT_USAGE, TikrelayError
from tikrelay.event import Event, Json
from tikrelay.mapping.cleaning import Cleaner, Context, Left, Settings
from tikrelay.mapping.user import hash_email, hash_external_id, hash_phone
from tikrelay.tools.operator import EXIT_NOT_ALL, ask_first, folder_of, operator_of, tell_unanswered
from tikrelay.watch.operations import ForgetDone, ForgetOrder

FROM_STDIN: Final = "-"
# Who hashes for Google leaves out the dots of these (User-provided data, "Data normalization"), and such a hash may
# have come in with a hit.
_DOTLESS: Final = re.compile(r"(.+)@(gmail\.com|googlemail\.com)", re.IGNORECASE)
_NOBODY: Final = Event(name="", source="data", received_at=0.0)
_HINTS: Final = {
    "--external-id": "it is empty",
    "--email": "write it as ann@shop.example",
    "--phone": "it needs + and its country, or mapping.default_phone_country",
}


class NobodyNamedError(TikrelayError):
    """It is not said whose events are meant, or it cannot be read."""

    exit_code = EXIT_USAGE


def digests_of(
    *, external_ids: Sequence[str], emails: Sequence[str], phones: Sequence[str], phone_country: str
) -> tuple[str, ...]:
    """Every hash that an event may hold of these. Raises NobodyNamedError.

    >>> digests_of(external_ids=["C-77"], emails=[], phones=[], phone_country="")[0][:16]
    '40fd5c25602295b0'
    """
    told: list[tuple[str, Sequence[str], Cleaner]] = [
        ("--external-id", external_ids, hash_external_id),
        ("--email", emails, _hash_email),
        ("--phone", phones, hash_phone),
    ]
    digests: dict[str, None] = {}
    for option, values, clean in told:
        for number, value in enumerate(values, 1):
            found = dict.fromkeys(_hashes(value, clean, phone_country))
            if not found:
                raise NobodyNamedError(f"value {number} of {option} cannot be read", hint=_HINTS[option])
            digests |= found
    return tuple(digests)


def _hash_email(value: Json, context: Context) -> list[str] | Left:
    found = hash_email(value, context)
    if isinstance(found, Left) or not isinstance(value, str) or not (address := _DOTLESS.fullmatch(value.strip())):
        return found
    dotless = hash_email(f"{address[1].replace('.', '')}@{address[2]}", context)
    return found if isinstance(dotless, Left) else [*found, *dotless]


def _hashes(value: Json, clean: Cleaner, phone_country: str) -> Iterator[str]:
    """Clean a value under every setting that changes its hash; phone_cn's default gives both forms."""
    for lowercase in (False, True):
        settings = Settings(phone_country=phone_country, external_id_lowercase=lowercase)
        found = clean(value, Context(_NOBODY, name="", fallback_id="", settings=settings))
        if not isinstance(found, Left):
            yield from [found] if isinstance(found, str) else found


def forget(
    config: str | None,
    *,
    external_ids: Sequence[str],
    emails: Sequence[str],
    phones: Sequence[str],
    yes: bool,
    as_json: bool,
) -> int:
    """Erase; exit code 1 when a file could not be asked."""
    from_stdin = _stdin()
    named = [
        [from_stdin() if value == FROM_STDIN else value for value in one] for one in (external_ids, emails, phones)
    ]
    if not any(named):
        raise NobodyNamedError("it is not said whose events", hint="give --external-id, --email or --phone")
    operator, loaded = operator_of(config)
    country = loaded.config.mapping.default_phone_country
    digests = digests_of(external_ids=named[0], emails=named[1], phones=named[2], phone_country=country)
    if not ask_first("erase all events of this person from the outbox? This cannot be undone.", yes=yes):
        print("nothing was erased", file=sys.stderr)
        return EXIT_NOT_ALL
    done = operator.forget(ForgetOrder(digests=digests, confirm=True))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
    else:
        _print(done, kept=folder_of(loaded).kept())
    tell_unanswered(done.unanswered)
    return EXIT_NOT_ALL if done.unanswered else 0


def _stdin() -> Callable[[], str]:
    """Read a line for each value that is not to stand in a list of processes. Raises NobodyNamedError."""

    def next_line() -> str:
        line = sys.stdin.readline().strip()
        if not line:
            raise NobodyNamedError("nothing came on stdin for -", hint="write each value on a line of its own")
        return line

    return next_line


def _print(done: ForgetDone, *, kept: list[str]) -> None:
    total = done.waiting + done.dead + done.delivered
    events = "event" if total == 1 else "events"
    print(f"{total} {events} erased: {done.waiting} waiting, {done.dead} dead, {done.delivered} delivered")
    if kept:
        print(f"Not reached: the damaged files {', '.join(kept)}; delete them when you need them no more.")
    print("Not reached: copies of the outbox made before, and what TikTok has; ask it there to erase that.")
