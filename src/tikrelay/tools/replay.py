"""``tikrelay replay``: dead letters go out again, and any events as a test."""

import sys
from typing import Final

import msgspec

from tikrelay.app.events import NO_DEAD_LETTER, NO_EVENT
from tikrelay.base.errors import EXIT_USAGE, TikrelayError
from tikrelay.tools.operator import EXIT_NOT_ALL, ask_first, operator_of, tell_unanswered
from tikrelay.watch.operations import ReplayDone, ReplayOrder

_KEPT: Final = {
    "may_be_delivered": "TikTok may have it already, from longer ago than it drops repeats; --accept-duplicates"
    " sends it all the same",
    "damaged": "its bytes are not those that were stored",
    "no_destination": "the settings name no such destination",
    NO_DEAD_LETTER: "there is no such dead letter",
    NO_EVENT: "there is no such event",
}


class NothingChosenError(TikrelayError):
    """The command line does not say which letters are meant, or says it in a way nobody can read."""

    exit_code = EXIT_USAGE


def order_of(options: dict[str, object]) -> ReplayOrder:
    """Make an order of what the command line says. Raises NothingChosenError."""
    try:
        order = msgspec.convert({name: value for name, value in options.items() if value is not None}, ReplayOrder)
    except msgspec.ValidationError as error:
        words = str(error).replace("$.", "--").replace("_", "-")
        raise NothingChosenError(words, hint="see tikrelay replay --help") from None
    if not order.chooses:
        raise NothingChosenError("nothing says which dead letters", hint="give --all, --reason, --event-id or a REF")
    return order


def replay(config: str | None, order: ReplayOrder, *, yes: bool, as_json: bool) -> int:
    """Count first, ask, then send; exit code 1 when letters that were chosen stay, or a file could not be asked."""
    operator, _ = operator_of(config)
    looked = operator.replay(msgspec.structs.replace(order, dry_run=True))
    if order.dry_run or not looked.replayed:
        return _tell(looked, order, as_json=as_json)
    what = f"send {_letters(looked.replayed, order)} {'as a test' if order.test_event_code else 'again'}?"
    if not ask_first(what, yes=yes):
        print("nothing was sent", file=sys.stderr)
        return EXIT_NOT_ALL
    return _tell(operator.replay(msgspec.structs.replace(order, confirm=True)), order, as_json=as_json)


def _tell(done: ReplayDone, order: ReplayOrder, *, as_json: bool) -> int:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
    else:
        how = "out again"
        if order.test_event_code:
            how = f"as a test under {order.test_event_code}; what was copied stays as it is"
        verb = "would go" if order.dry_run else "goes" if done.replayed == 1 else "go"
        print(f"{_letters(done.replayed, order)} {verb} {how}")
        for why, count in done.kept.items():
            print(f"{_letters(count, order)} {'stays' if count == 1 else 'stay'}: {_KEPT.get(why, why)}")
    tell_unanswered(done.unanswered)
    return EXIT_NOT_ALL if done.kept or done.unanswered else 0


def _letters(count: int, order: ReplayOrder) -> str:
    what = "event" if order.test_event_code and order.refs else "dead letter"
    return f"{count} {what}{'' if count == 1 else 's'}"
