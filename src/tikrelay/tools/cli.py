"""The command line: thin commands over the functions the server uses, each imported only when it runs."""

import sys
from typing import Annotated, Any

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
def status(*, config: ConfigFile = None, json: AsJson = False) -> int:
    """Show what the running server received, delivered, holds and gave up on.

    Example: tikrelay status
    """
    from tikrelay.tools.status import show_status

    return show_status(config, as_json=json)


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
