"""The command line: thin commands over the functions the server uses, each imported only when it runs."""

import sys
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from tikrelay import __version__
from tikrelay.base.errors import EXIT_USAGE, TikrelayError

app = App(
    name="tikrelay",
    version=__version__,
    help="Takes GA4 hits, turns each into a TikTok Events API event, and delivers it without losing one.",
    result_action="return_value",
)

ConfigFile = Annotated[
    str | None,
    Parameter(name=["--config", "-c"], help="The settings file; without it ./tikrelay.toml, if there is one."),
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for machines.")]
Destination = Annotated[str | None, Parameter(help="Those for this destination.")]
EventId = Annotated[str | None, Parameter(help="Those with this event_id.")]
Code = Annotated[
    int | Literal["none"] | None, Parameter(help="TikTok's code that they died of, such as 40002; none: without one.")
]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask.")]


@app.command
def serve(
    *,
    config: ConfigFile = None,
    take_over: Annotated[
        bool,
        Parameter(
            negative="", help="Take the sockets of the server that runs on this outbox; it ends when this one accepts."
        ),
    ] = False,
) -> int:
    """Collect, store and deliver until SIGTERM.

    Example: tikrelay serve --config /etc/tikrelay/tikrelay.toml
    """
    import os

    from tikrelay.app.load import read_settings
    from tikrelay.app.serve import serve as run_server
    from tikrelay.watch.log import configure_logs

    loaded = read_settings(config, os.environ)
    configure_logs()
    return run_server(loaded, take_over=take_over, version=__version__)


@app.command
def demo(
    *,
    keep: Annotated[
        bool, Parameter(negative="", help="Stay up afterwards, and print curl lines to play with.")
    ] = False,
) -> int:
    """Send a shop's visit through a gateway to a local TikTok, and show what became of it.

    Example: tikrelay demo --keep
    """
    from tikrelay.tools.demo.run import demo as run_demo

    return run_demo(keep=keep)


@app.command
def sandbox(
    *,
    host: Annotated[str, Parameter(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="The port; 0 takes a free one.")] = 8090,
    profile: Annotated[
        str, Parameter(help="lenient: what TikTok is known to check; strict: also what it may check.")
    ] = "lenient",
    token: Annotated[tuple[str, ...], Parameter(help="A token it knows; none is any token.")] = (),
    pixel: Annotated[tuple[str, ...], Parameter(help="An event_source_id it knows; none is any.")] = (),
) -> int:
    """Be TikTok's end on this machine, with fault switches and a page that lists what came.

    Example: tikrelay sandbox --port 8090 --profile strict
    """
    from tikrelay.tools.sandbox.server import run_sandbox

    return run_sandbox(host=host, port=port, profile=profile, tokens=token, pixels=pixel)


@app.command
def explain(
    hit: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="A hit's URL, a HAR, a curl command, Copy as fetch, JSON, or a file with one of these; - or nothing "
            "is stdin.",
        ),
    ] = None,
    *,
    body: Annotated[str | None, Parameter(help="The body sent with the URL, when there is one.")] = None,
    config: ConfigFile = None,
    json: AsJson = False,
    diff: Annotated[
        str | None,
        Parameter(help="Show only what differs: from another hit, or under other settings (a .toml file)."),
    ] = None,
    show_personal_data: Annotated[bool, Parameter(negative="", help="Do not mask what came in.")] = False,
    example: Annotated[str | None, Parameter(help="Explain one of the examples of the repository by its name.")] = None,
) -> int:
    """Show the TikTok event a hit becomes, and for each field where it came from and how it was cleaned.

    Example: tikrelay explain 'https://gw.shop.example/g/collect?v=2&tid=G-1&cid=1.2&en=page_view'
    """
    from tikrelay.tools.explain.command import explain_hit

    return explain_hit(
        hit,
        body=body,
        config=config,
        as_json=json,
        show_personal_data=show_personal_data,
        example=example,
        other=diff,
    )


@app.command(name="test")
def run_examples(
    paths: Annotated[tuple[str, ...], Parameter(help="Examples, or folders with them; with --new a hit.")] = (),
    /,
    *,
    config: ConfigFile = None,
    json: AsJson = False,
    update: Annotated[
        bool, Parameter(negative="", help="Write what is expected anew, and show what that changes.")
    ] = False,
    new: Annotated[
        str | None, Parameter(help="Write a first example under this name, of the hit that is given.")
    ] = None,
    show_personal_data: Annotated[bool, Parameter(negative="", help="Do not mask what differs.")] = False,
) -> int:
    """Run your own examples against your rules: a hit, and exactly what is to become of it.

    Example: tikrelay test my-examples/ --config tikrelay.toml
    """
    from tikrelay.tools.examples.command import run_own_examples

    return run_own_examples(
        paths, config=config, as_json=json, update=update, new=new, show_personal_data=show_personal_data
    )


@app.command
def check(*, config: ConfigFile = None, json: AsJson = False) -> int:
    """Look at the settings, the disk and, with a test_event_code, at TikTok's answer to one test event.

    Example: tikrelay check --config tikrelay.toml
    """
    from tikrelay.tools.check import run_checks

    return run_checks(config, as_json=json)


@app.command
def doctor(
    files: Annotated[tuple[str, ...], Parameter(help="With --salvage: outbox files; none is every damaged one.")] = (),
    /,
    *,
    salvage: Annotated[
        bool, Parameter(negative="", help="Save what can be read of damaged outbox files; the server may run.")
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="With --salvage: only count what can be saved.")] = False,
    test_event: Annotated[
        bool, Parameter(negative="", help="Send one test event to each destination with a test_event_code, as check.")
    ] = False,
    config: ConfigFile = None,
    json: AsJson = False,
) -> int:
    """Look at machine, network and the running server; exit code 0 well, 1 look soon, 2 act now.

    Example: tikrelay doctor --config tikrelay.toml
    """
    if salvage:
        from tikrelay.tools.salvage import salvage_files

        return salvage_files(config, files, dry_run=dry_run, as_json=json)
    if files or dry_run:
        print("tikrelay: files and --dry-run go with --salvage", file=sys.stderr)
        return EXIT_USAGE

    from tikrelay.tools.doctor import run_doctor

    return run_doctor(config, test_event=test_event, as_json=json)


@app.command
def status(*, config: ConfigFile = None, json: AsJson = False) -> int:
    """Show what the running server received, delivered, holds and gave up on.

    Example: tikrelay status
    """
    from tikrelay.tools.status import show_status

    return show_status(config, as_json=json)


@app.command
def events(
    ref: Annotated[str | None, Parameter(help="One event, as the list names it: shows its whole history.")] = None,
    /,
    *,
    state: Annotated[str | None, Parameter(help="waiting, dead or delivered.")] = None,
    destination: Destination = None,
    event: Annotated[str | None, Parameter(help="TikTok's name of the event.")] = None,
    event_id: EventId = None,
    reason: Annotated[str | None, Parameter(help="Why a dead letter died, such as refused.")] = None,
    code: Code = None,
    text: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True, help="A whole value in it: an order's id, a product's, an e-mail address."
        ),
    ] = None,
    since: Annotated[str | None, Parameter(help="Received within this time: 90s, 15m, 2h, 7d.")] = None,
    most: Annotated[int, Parameter(help="The newest so many, at most 1000.")] = 50,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], negative="", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    example: Annotated[
        bool, Parameter(negative="", help="With a ref: print the event as an example file for tikrelay test.")
    ] = False,
    config: ConfigFile = None,
    json: AsJson = False,
) -> int:
    """List the newest events of the outbox, or show one with every call it was part of and what comes next.

    Example: tikrelay events --state dead --since 2h
    """
    from tikrelay.tools.events import list_events, print_example, query_of, show_event
    from tikrelay.tools.follow import follow_events

    if example:
        return print_example(config, ref)
    if ref is not None:
        return show_event(config, ref, as_json=json)
    options: dict[str, object] = {
        "state": state, "destination": destination, "event": event, "event_id": event_id, "reason": reason,
        "code": code, "text": text, "most": most,
    }  # fmt: skip
    query = query_of(options, since=since)
    return follow_events(config, query, as_json=json) if follow else list_events(config, query, as_json=json)


@app.command
def replay(
    refs: Annotated[
        tuple[str, ...], Parameter(help="Dead letters, as tikrelay events names them; for a test any events.")
    ] = (),
    /,
    *,
    all: Annotated[bool, Parameter(negative="", help="Every dead letter.")] = False,  # noqa: A002  the option's name
    reason: Annotated[str | None, Parameter(help="Those that died of this, such as refused.")] = None,
    code: Code = None,
    event_id: EventId = None,
    event: Annotated[str | None, Parameter(help="TikTok's name of the event.")] = None,
    destination: Destination = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Only count.")] = False,
    test_event_code: Annotated[
        str | None,
        Parameter(help="Send a copy as a test under this code; with REF of any event. They stay as they are."),
    ] = None,
    accept_duplicates: Annotated[
        bool, Parameter(negative="", help="Also what TikTok may have taken already; it may count twice.")
    ] = False,
    yes: Yes = False,
    config: ConfigFile = None,
    json: AsJson = False,
) -> int:
    """Send dead letters again, once what they died of is mended; without a terminal --yes is needed.

    Example: tikrelay replay --reason refused --dry-run
    """
    from tikrelay.tools.replay import order_of
    from tikrelay.tools.replay import replay as send_again

    order = order_of(
        {
            "refs": refs, "all": all, "reason": reason, "code": code, "event_id": event_id, "event": event,
            "destination": destination, "dry_run": dry_run, "test_event_code": test_event_code,
            "accept_duplicates": accept_duplicates,
        }
    )  # fmt: skip
    return send_again(config, order, yes=yes, as_json=json)


@app.command
def forget(
    *,
    external_id: Annotated[
        tuple[str, ...],
        Parameter(negative="", allow_leading_hyphen=True, help="Your own id of the person; - reads it from stdin."),
    ] = (),
    email: Annotated[
        tuple[str, ...], Parameter(negative="", allow_leading_hyphen=True, help="An e-mail address, or -.")
    ] = (),
    phone: Annotated[
        tuple[str, ...], Parameter(negative="", allow_leading_hyphen=True, help="A phone number, or -.")
    ] = (),
    yes: Yes = False,
    config: ConfigFile = None,
    json: AsJson = False,
) -> int:
    """Erase every event of a person from the outbox; without a terminal --yes is needed.

    Example: echo ann@shop.example | tikrelay forget --email - --yes
    """
    from tikrelay.tools.forget import forget as erase

    return erase(config, external_ids=external_id, emails=email, phones=phone, yes=yes, as_json=json)


@app.command
def backup(
    folder: Annotated[str, Parameter(help="An empty folder, or one that is made; best on another disk.")],
    /,
    *,
    config: ConfigFile = None,
    json: AsJson = False,
) -> int:
    """Copy the outbox as it is at this moment, also while the server runs.

    Example: tikrelay backup /var/backups/tikrelay/monday
    """
    from tikrelay.tools.backup import copy_outbox

    return copy_outbox(config, folder, as_json=json)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        result: Any = app(arguments, exit_on_error=False)
    except CycloptsError:
        return EXIT_USAGE
    except TikrelayError as error:
        print(f"tikrelay: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else 0
