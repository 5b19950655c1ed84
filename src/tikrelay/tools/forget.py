"""``tikrelay forget``: what can be tied to one person is erased from the outbox.

The outbox holds hashes only, so what is typed here is hashed as the mapping would have done it, and only the hashes are
looked for.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tikrelay.base.errors import EXIT_USAGE, TikrelayError
from tikrelay.mapping.person import email_digests, external_id_digests, phone_digests
from tikrelay.tools.operator import EXIT_NOT_ALL, ask_first, folder_of, operator_of, tell_unanswered
from tikrelay.watch.operations import ForgetDone, ForgetOrder

FROM_STDIN: Final = "-"
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
    told: list[tuple[str, Sequence[str], Callable[[str], tuple[str, ...]]]] = [
        ("--external-id", external_ids, external_id_digests),
        ("--email", emails, email_digests),
        ("--phone", phones, lambda phone: phone_digests(phone, country=phone_country)),
    ]
    digests: dict[str, None] = {}
    for option, values, hashed in told:
        for number, value in enumerate(values, 1):
            found = hashed(value)
            if not found:
                raise NobodyNamedError(f"value {number} of {option} cannot be read", hint=_HINTS[option])
            digests |= dict.fromkeys(found)
    return tuple(digests)


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
