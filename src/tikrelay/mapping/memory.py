"""What is remembered of texts that come with every other hit, so that they are cleaned once."""

import functools
from typing import Final, TypeVar

from tikrelay.event import Json
from tikrelay.mapping.cleaning import Cleaner, Context, Left, Value
from tikrelay.mapping.personal import MASK

_LONGEST_REMEMBERED: Final = 512
_MOST_REMEMBERED: Final = 2000

_Made = TypeVar("_Made")


def remember(memory: dict[str, _Made], text: str, made: _Made, shown: str) -> _Made:
    """Keep what was made of a text that comes with every other hit: a name, an agent, a language.

    The memory is bounded, and keeps nothing that held somebody's address or number, as ``shown`` would tell.
    """
    if len(text) <= _LONGEST_REMEMBERED and MASK not in shown:
        if len(memory) >= _MOST_REMEMBERED:
            memory.clear()
        memory[text] = made
    return made


def remembered(clean: Cleaner) -> Cleaner:
    """Let a cleaner of texts that tell nothing of one visitor remember them; what it warned of is worked out anew."""
    memory: dict[str, Value] = {}

    def clean_once(value: Json, context: Context) -> Value | Left:
        if not isinstance(value, str):
            return clean(value, context)
        known = memory.get(value)
        if known is not None:
            return known
        warned = len(context.notices)
        made = clean(value, context)
        is_doubtful = isinstance(made, Left) or len(context.notices) > warned
        return made if is_doubtful else remember(memory, value, made, str(made))

    return functools.wraps(clean)(clean_once)
