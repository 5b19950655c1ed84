"""How commands write to the screen: on a terminal long lines wrap, in a pipe nothing is cut and nothing wraps."""

import sys
from typing import Final

from rich.console import Console

_ENDLESS: Final = 1_000_000


def screen() -> Console:
    """Make the console that a command prints on."""
    if sys.stdout.isatty():
        return Console(highlight=False, markup=False)
    return Console(highlight=False, markup=False, width=_ENDLESS, height=_ENDLESS)
